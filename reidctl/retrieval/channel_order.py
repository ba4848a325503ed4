"""Does a network see its images in the colours that it was trained on? Labelled pairs can tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from reidctl.retrieval.distance import unit_rows
from reidctl.retrieval.embedding import embed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reidctl.types import Embedder, Float32, Sample, UInt8

    Float64 = NDArray[np.float64]

PAIRS = 50
"""Enough for published networks to stand out by 5 standard errors and more; twice as many images are embedded twice."""
FEWEST = 12
SURE = 4.0
"""Standard errors: by chance alone one of 30,000 right orders would be called wrong."""


def swapped_order_fits_better(
    embedder: Embedder, query: Sequence[Sample], gallery: Sequence[Sample], batch_size: int = 32
) -> bool:
    """Whether red and blue are more likely swapped than not, judged by pairs of images of one person in two cameras.

    For up to 50 people: by how many deviations the similarity of the person's two images exceeds that to the other
    people's images. The answer is yes where this is larger with the channels swapped, by 4 standard errors of the
    paired difference. No where fewer than 12 people have such a pair, or the network does not tell people apart.
    """
    pairs = _pairs(query, gallery)
    if len(pairs) < FEWEST:
        return False
    gain = _contrast(_Swapped(embedder), pairs, batch_size) - _contrast(embedder, pairs, batch_size)
    error = gain.std(ddof=1) / np.sqrt(len(gain))
    return bool(gain.mean() > SURE * max(error, np.finfo(np.float64).tiny))


class _Swapped:
    """An embedder that sees red as blue."""

    def __init__(self, embedder: Embedder) -> None:
        self.info, self._embedder = embedder.info, embedder

    def embed_batch(self, images: UInt8) -> Float32:
        return self._embedder.embed_batch(np.ascontiguousarray(images[..., ::-1]))


def _pairs(query: Sequence[Sample], gallery: Sequence[Sample]) -> list[tuple[Sample, Sample]]:
    """One image of the query and one of another camera in the gallery for each of some people, spread evenly."""
    shown: dict[int, list[Sample]] = {}
    for sample in gallery:
        shown.setdefault(sample.identity, []).append(sample)
    found: dict[int, tuple[Sample, Sample]] = {}
    for sample in query:
        if sample.identity >= 0 and sample.identity not in found:
            others = (other for other in shown.get(sample.identity, ()) if other.camera != sample.camera)
            if match := next(others, None):
                found[sample.identity] = sample, match
    everyone = list(found.values())
    return everyone[:: -(-len(everyone) // PAIRS) or 1]


def _contrast(embedder: Embedder, pairs: Sequence[tuple[Sample, Sample]], batch_size: int) -> Float64:
    """[P] the similarity within each pair, in deviations of that to the other people above its mean."""
    left, right = (
        unit_rows(embed(embedder, side, batch_size=batch_size).vectors).astype(np.float64)
        for side in zip(*pairs, strict=True)
    )
    similarity = left @ right.T
    others = similarity[~np.eye(len(pairs), dtype=bool)].reshape(len(pairs), -1)
    spread = np.maximum(others.std(axis=1), np.finfo(np.float32).eps)
    contrast: Float64 = (np.diag(similarity) - others.mean(axis=1)) / spread
    return contrast
