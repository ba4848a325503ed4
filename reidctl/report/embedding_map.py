"""Embeddings as points of a plane."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from reidctl.errors import MissingExtra
from reidctl.retrieval.distance import unit_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reidctl.types import Embeddings, Float32, Sample

    Float64 = NDArray[np.float64]

MOST = 1000
NEIGHBOURS = 15


@dataclass(frozen=True)
class EmbeddingMap:
    """Where samples[i] lies: points [N, 2]; method `PCA` or `UMAP`; kept: the share of the variance, for PCA."""

    method: str
    samples: tuple[Sample, ...]
    points: Float64
    kept: float | None = None


def embedding_maps(query: Embeddings, gallery: Embeddings, *, umap: bool = False) -> tuple[EmbeddingMap, ...]:
    """PCA, and UMAP if asked for, of the L2-normalised embeddings of some people, all images of each.

    The people are drawn, the same each time, for MOST images at most (more of one person alone); no junk. None of
    fewer than 3 images, no UMAP of no more than NEIGHBOURS. MissingExtra where UMAP is not installed.
    """
    if umap:
        require_umap()
    vectors, samples = _drawn(query, gallery)
    if len(samples) < 3:
        return ()
    points, kept = principal_components(vectors)
    maps = [EmbeddingMap("PCA", samples, points, kept)]
    if umap and len(samples) > NEIGHBOURS:
        maps.append(EmbeddingMap("UMAP", samples, _umap(vectors)))
    return tuple(maps)


def require_umap() -> None:
    """Raise MissingExtra where UMAP is not installed."""
    if find_spec("umap") is None:
        raise MissingExtra("a map by UMAP needs umap-learn", "pip install 'reidctl[viz]'")


def principal_components(vectors: Float32) -> tuple[Float64, float]:
    """The first two components of vectors [N, D] as [N, 2], and the share of the variance that they keep.

    The larger end of each axis, from 0, is positive, so that the sign does not depend on the library.
    """
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    points = np.zeros((len(vectors), 2))
    points[:, : min(2, len(values))] = (left * values)[:, :2]
    extreme = points[np.abs(points).argmax(axis=0), [0, 1]]
    total = float(np.square(values).sum())
    return points * np.where(extreme < 0, -1, 1), float(np.square(values[:2]).sum()) / total if total else 1.0


def _drawn(query: Embeddings, gallery: Embeddings) -> tuple[Float32, tuple[Sample, ...]]:
    identities = np.concatenate([query.identities, gallery.identities])
    people = np.unique(query.identities[query.identities >= 0])
    _, counts = np.unique(identities[np.isin(identities, people)], return_counts=True)
    order = np.random.default_rng(0).permutation(len(people))
    taken = people[order[: max(1, int((np.cumsum(counts[order]) <= MOST).sum()))]]
    chosen = [np.isin(part.identities, taken) for part in (query, gallery)]
    vectors = [part.vectors[rows] for part, rows in zip((query, gallery), chosen, strict=True)]
    samples = [
        part.samples[row] for part, rows in zip((query, gallery), chosen, strict=True) for row in np.flatnonzero(rows)
    ]
    return unit_rows(np.concatenate(vectors)), tuple(samples)


def _umap(vectors: Float32) -> Float64:
    """L. McInnes et al., UMAP, 2018, with cosine distance and the library's defaults."""
    import warnings

    from umap import UMAP

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        points = UMAP(n_neighbors=NEIGHBOURS, metric="cosine", random_state=0).fit_transform(vectors)
    found: Float64 = np.asarray(points, np.float64)
    return found
