"""The k nearest gallery vectors, exactly, without sorting or partitioning whole rows."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reidctl.errors import InputError
from reidctl.retrieval.arrays import row_groups, sort_keys, thread_pool
from reidctl.retrieval.distance import GalleryDistances, Metric

if TYPE_CHECKING:
    from reidctl.retrieval.on_device import Block
    from reidctl.types import Float32, Int64

# More groups make the bound on the k-th distance tighter, fewer make it cheaper.
GROUPS_PER_NEIGHBOUR = 16


@dataclass(frozen=True)
class Neighbours:
    """Row i of indices [Q, k] int64 and distances [Q, k] float32: the nearest of query i, ascending; ties by index."""

    indices: Int64
    distances: Float32


def search(query_vectors: Float32, gallery_vectors: Float32, k: int = 10, metric: Metric = "cosine") -> Neighbours:
    """The k nearest of gallery [G, D] for each query [Q, D]; all of them if the gallery has fewer.

    InputError if k < 1, the gallery is empty, or the features do not fit together; ConfigError for another metric.
    """
    if k < 1 or not len(gallery_vectors):
        raise InputError(f"cannot find the {k} nearest of {len(gallery_vectors)} gallery vectors")
    blocks = GalleryDistances(gallery_vectors, metric).blocks(query_vectors)
    with thread_pool() as pool:
        return joined([nearest(block, k, pool) for block in blocks])


def nearest(block: Block, k: int, pool: Executor) -> Neighbours:
    """The k smallest distances of each row of block [b, G], or all G if there are fewer."""
    if not isinstance(block, np.ndarray):
        return Neighbours(*block.nearest(k))
    return joined(list(pool.map(lambda group: _nearest(block[group], k), row_groups(block))))


def joined(parts: list[Neighbours]) -> Neighbours:
    """Consecutive parts as one; they must have the same k."""
    return Neighbours(
        np.concatenate([part.indices for part in parts]), np.concatenate([part.distances for part in parts])
    )


def _nearest(block: Float32, k: int) -> Neighbours:
    size = block.shape[1]
    groups = GROUPS_PER_NEIGHBOUR * k
    if size < 2 * groups:
        order = np.argsort(block, axis=1, kind="stable")[:, :k]
        return Neighbours(order, np.take_along_axis(block, order, axis=1))
    bound = _bound(block, k, groups)
    rows, columns = np.divmod(np.flatnonzero(block <= bound), size)
    keys = sort_keys(rows, block[rows, columns])
    order = np.argsort(keys, kind="stable")
    firsts = np.searchsorted(rows, np.arange(len(block)))
    picked = order[firsts[:, None] + np.arange(k)]
    return Neighbours(columns[picked], block[rows[picked], columns[picked]])


def _bound(block: Float32, k: int, groups: int) -> Float32:
    """[b, 1] an upper bound of each row's k-th smallest number: the k-th smallest minimum of disjoint groups."""
    depth = block.shape[1] // groups
    minima = block[:, : depth * groups].reshape(len(block), depth, groups).min(axis=1)
    return np.partition(minima, k - 1, axis=1)[:, k - 1 : k]
