"""The nearest rows of feature files of any size: read piece by piece, compared exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from reidctl.errors import InputError
from reidctl.retrieval.arrays import thread_pool
from reidctl.retrieval.distance import finite_rows, unit_rows
from reidctl.retrieval.nearest import Neighbours, joined, nearest

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from reidctl.retrieval.features import FeatureReader
    from reidctl.types import Float32

# So many more than k are looked at closely that rounding in float32 hides none of the k.
SPARE = 16
QUERY_ROWS = 256
DECIMALS = 9
"""Of distances: far below what float32 embeddings tell apart, far above the rounding of their sums in float64."""


def search_chunks(
    queries: Float32, chunks: Iterable[Float32], k: int, done: Callable[[int], None] | None = None
) -> Neighbours:
    """The k nearest rows of a gallery that comes in chunks [n, D], by cosine distance, for each query [Q, D].

    Distances are summed in float64 and rounded to DECIMALS, 0…2, so that equal vectors are at equal distances, and at 0
    from themselves; ties are ordered by row. Fewer than k where the gallery is smaller. Memory holds one chunk and the
    candidates. done takes the rows of every finished chunk. InputError for k < 1, an empty gallery, sizes that
    disagree, a number that is not finite, and a vector of zeros, which has no direction.
    """
    if k < 1:
        raise InputError(f"cannot find the {k} nearest")
    _require_directions(queries, "query", 0)
    found, start = _none(len(queries)), 0
    with thread_pool() as pool:
        for chunk in chunks:
            if chunk.shape[1] != queries.shape[1]:
                sizes = f"{queries.shape[1]} numbers each, those of the gallery {chunk.shape[1]}"
                raise InputError(f"the embeddings of the query have {sizes}", "both must come from the same model")
            _require_directions(chunk, "gallery", start)
            found = merged(found, _in_chunk(queries, chunk, k, start, pool), k)
            start += len(chunk)
            if done:
                done(len(chunk))
    if not start:
        raise InputError("the gallery is empty")
    return found


def merged(one: Neighbours, other: Neighbours, k: int) -> Neighbours:
    """The k nearest of both, ascending, ties by index."""
    indices = np.concatenate([one.indices, other.indices], axis=1)
    distances = np.concatenate([one.distances, other.distances], axis=1)
    order = np.lexsort((indices, distances), axis=1)[:, :k]
    return Neighbours(np.take_along_axis(indices, order, 1), np.take_along_axis(distances, order, 1))


def closer_than(found: Neighbours, threshold: float) -> list[Neighbours]:
    """Of each query those below the threshold, as one row each."""
    return [
        Neighbours(indices[distances < threshold], distances[distances < threshold])
        for indices, distances in zip(found.indices, found.distances, strict=True)
    ]


def _in_chunk(queries: Float32, gallery: Float32, k: int, start: int, pool: Executor) -> Neighbours:
    """The nearest of one chunk, whose first row is row `start` of the gallery."""
    columns = np.ascontiguousarray(unit_rows(gallery).T)
    found = []
    for first in range(0, len(queries), QUERY_ROWS):
        rows = queries[first : first + QUERY_ROWS]
        likely = nearest(-(unit_rows(rows) @ columns), k + SPARE, pool).indices
        near = Neighbours(likely + start, _exact(rows, gallery[likely]))
        found.append(merged(_none(len(rows)), near, k))
    return joined(found)


def _exact(queries: Float32, candidates: Float32) -> Float32:
    """Cosine distances [Q, K] of queries [Q, D] and candidates [Q, K, D]."""
    rows, others = queries.astype(np.float64), candidates.astype(np.float64)
    squares = np.einsum("qd,qd->q", rows, rows)[:, None] * np.einsum("qkd,qkd->qk", others, others)
    distances = 1 - np.einsum("qd,qkd->qk", rows, others) / np.sqrt(squares)
    # Adding 0 makes 0 of -0.
    exact: Float32 = (np.clip(distances, 0, 2).round(DECIMALS) + 0.0).astype(np.float32)
    return exact


def _none(rows: int) -> Neighbours:
    return Neighbours(np.empty((rows, 0), np.int64), np.empty((rows, 0), np.float32))


def _require_directions(vectors: Float32, what: str, start: int) -> None:
    rows = finite_rows(vectors, 0, len(vectors), what, start)
    empty = ~rows.any(axis=1)
    if empty.any():
        raise InputError(f"{what} features: row {start + int(empty.argmax())} is all zeros, which has no direction")


def search_files(
    queries: Float32, files: Sequence[FeatureReader], k: int, find: Callable[[Float32, FeatureReader, int], Neighbours]
) -> Neighbours:
    """What `find` finds in each file, as one: rows are counted through all files, rows at distance inf are nobody's."""
    found, start = _none(len(queries)), 0
    for file in files:
        near = find(queries, file, k)
        found = merged(found, Neighbours(near.indices + start, near.distances), k)
        start += file.rows
    return found
