"""How far two artefacts' embeddings of the same images may be apart, and how far they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from reidctl.types import Float32


@dataclass(frozen=True)
class Tolerance:
    """What two embeddings of one image may differ by, and rank-1 and mAP of all, and why."""

    cosine_min: float
    cosine_mean: float
    relative_error: float
    accuracy: float
    reason: str


TOLERANCES = {
    "f32": Tolerance(0.99999, 0.999999, 1e-3, 0.0005, "the same arithmetic in another order: the last digits differ"),
    "f16": Tolerance(0.999, 0.99999, 0.1, 0.001, "weights of 11 significant bits; measured: 0.99987, 0.999996, 0.04"),
    "bf16": Tolerance(0.998, 0.999, 0.15, 0.005, "numbers of 8 significant bits; measured: 0.9990, 0.9997, 0.05"),
    "int8": Tolerance(0.85, 0.97, 0.6, 0.02, "weights and maps of 256 levels; measured: 0.905, 0.988, 0.41"),
}
"""By the coarser of two precisions, from the finest to the coarsest.

Measured on networks of the Open Model Zoo and, f16, on thousands of images and a small network of ours.
"""


def coarsest(*precisions: str) -> str:
    """The precision of fewest digits."""
    return max(precisions, key=list(TOLERANCES).index)


def tolerance_for(*precisions: str) -> Tolerance:
    """The tolerance between artefacts of these precisions: that of the coarsest."""
    return TOLERANCES[coarsest(*precisions)]


@dataclass(frozen=True)
class Difference:
    """How far two sets of embeddings of the same images are apart.

    cosine_*: between the two embeddings of an image, least, 5th percentile, mean; max_abs_diff: largest difference of
    one number; relative_error: largest distance between the two embeddings of an image, in units of the root mean
    square distance of the first artefact's embeddings from their mean (of their length, where they are all the same),
    so that it also tells networks apart whose embeddings all point in nearly one direction;
    neighbour_agreement: share of images whose nearest other image is the same in both, None for fewer than 3.
    """

    cosine_min: float
    cosine_p5: float
    cosine_mean: float
    max_abs_diff: float
    relative_error: float
    neighbour_agreement: float | None

    def within(self, tolerance: Tolerance) -> bool:
        """Whether nothing is further apart than allowed; NaN never is."""
        return (
            self.cosine_min >= tolerance.cosine_min
            and self.cosine_mean >= tolerance.cosine_mean
            and self.relative_error <= tolerance.relative_error
        )


def difference(a: Float32, b: Float32) -> Difference:
    """a, b [N, D]: embeddings of the same N images, N at least 1."""
    first, second = a.astype(np.float64), b.astype(np.float64)
    unit_first, unit_second = unit(first), unit(second)
    cosines = (unit_first * unit_second).sum(axis=1)
    spread = np.linalg.norm(first - first.mean(axis=0)) or np.linalg.norm(first) or 1.0
    apart = np.linalg.norm(first - second, axis=1).max()
    return Difference(
        cosine_min=float(cosines.min()),
        cosine_p5=float(np.percentile(cosines, 5)),
        cosine_mean=float(cosines.mean()),
        max_abs_diff=float(np.abs(first - second).max()),
        relative_error=float(apart * np.sqrt(len(first)) / spread),
        neighbour_agreement=_agreement(unit_first, unit_second) if len(a) > 2 else None,
    )


def unit(vectors: np.ndarray) -> np.ndarray:
    """vectors [N, D], each divided by its length; zeros stay zeros."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: np.ndarray = vectors / np.where(norms == 0, 1, norms)
    return unit


def _agreement(a: np.ndarray, b: np.ndarray) -> float:
    return float((_nearest(a) == _nearest(b)).mean())


def _nearest(unit: np.ndarray) -> np.ndarray:
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -np.inf)
    nearest: np.ndarray = similarity.argmax(axis=1)
    return nearest
