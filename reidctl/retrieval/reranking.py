"""k-reciprocal re-ranking on neighbour lists and sparse rows.

Z. Zhong et al., Re-ranking Person Re-identification with k-reciprocal Encoding, CVPR 2017, section 3. The
published program works on dense [N, N] matrices of the N = Q + G images; this one keeps k1 + 1 neighbours and
some dozens of weights per image and gives the same distances.

What it keeps of that program: distances are squared before use (so with the `euclidean` metric, which is
squared already, the fourth power of the Euclidean distance counts), and those of image i are divided by
the largest of them, over query and gallery alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reidctl.errors import ConfigError
from reidctl.retrieval.arrays import ragged, row_groups, thread_pool
from reidctl.retrieval.distance import GalleryDistances, Metric, pair_distances, prepared
from reidctl.retrieval.nearest import nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reidctl.config import Rerank
    from reidctl.types import Float32, Int64

    Bool = NDArray[np.bool_]
    Int32 = NDArray[np.int32]

CHUNK_ROWS = 1024


def distance_blocks(
    query_features: Float32, gallery_features: Float32, metric: Metric, spec: Rerank | None
) -> Iterator[Float32]:
    """Blocks [b, G] of distances, re-ranked if a spec is given; each is overwritten by the next."""
    if spec is None:
        return GalleryDistances(gallery_features, metric).blocks(query_features)
    return rerank(query_features, gallery_features, spec.k1, spec.k2, spec.lambda_value, metric)


def rerank(
    query_features: Float32,
    gallery_features: Float32,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
    metric: Metric = "cosine",
) -> Iterator[Float32]:
    """Final distances of consecutive queries in blocks [b, G] float32, together [Q, G]; smaller is more alike.

    query_features [Q, D], gallery_features [G, D]; k1 neighbours define an image's reciprocal set, the sets of
    its k2 nearest are averaged, and lambda_value 0…1 is the share of the original distance in the final one.
    A block is overwritten by the next one. Time grows with (Q + G)², memory with Q + G.
    ConfigError for numbers that are out of range.
    """
    if k1 < 1 or k2 < 1 or not 0 <= lambda_value <= 1:
        raise ConfigError(
            f"re-ranking with k1 {k1}, k2 {k2}, lambda {lambda_value} is not possible",
            "k1 and k2 are at least 1, lambda lies between 0 and 1; 20, 6 and 0.3 are usual",
        )
    features = prepared(np.concatenate([query_features, gallery_features]).astype(np.float32, copy=False), metric)
    with thread_pool() as pool:
        lists, largest = _neighbour_lists(features, max(k1 + 1, k2), metric, pool)
        encoding = _encode(features, lists[:, : k1 + 1], lists[:, : round(k1 / 2) + 1], largest, metric, pool)
        if k2 > 1:
            encoding = _averaged(encoding, lists[:, :k2], pool)
    return _final_blocks(features, encoding, largest, len(query_features), lambda_value, metric)


def _final_blocks(
    features: Float32, encoding: SparseRows, largest: Float32, queries: int, share: float, metric: Metric
) -> Iterator[Float32]:
    """share of the original distance and the rest of the Jaccard distance (equations 10 and 12)."""
    index = InvertedIndex.of(encoding, queries)

    def add_jaccard(start: int, rows: Float32) -> None:
        for query, row in enumerate(rows, start):
            overlap = index.overlap(*encoding.row(query))
            row += (1 - share) * (1 - overlap / (2 - overlap))

    start = 0
    with thread_pool() as pool:
        for block in GalleryDistances(features[queries:], metric).blocks(features[:queries]):
            np.square(block, out=block)
            block *= share / largest[start : start + len(block), None]
            groups = row_groups(block)
            list(pool.map(add_jaccard, [start + group.start for group in groups], [block[group] for group in groups]))
            yield block
            start += len(block)


@dataclass(frozen=True)
class SparseRows:
    """A sparse matrix: row i has weights[starts[i]:starts[i+1]] in columns[starts[i]:starts[i+1]] (ascending)."""

    starts: Int64
    columns: Int32
    weights: Float32

    @classmethod
    def joined(cls, parts: Iterable[tuple[Int64, Int32, Float32]], count: int) -> SparseRows:
        """`count` rows from parts (row, column, weight), each flat and together ordered by row and column."""
        rows, columns, weights = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return cls(np.searchsorted(rows, np.arange(count + 1)), columns, weights)

    def row(self, i: int) -> tuple[Int32, Float32]:
        """Columns and weights of one row."""
        here = slice(self.starts[i], self.starts[i + 1])
        return self.columns[here], self.weights[here]


@dataclass(frozen=True)
class InvertedIndex:
    """The same, by column, over the gallery: which images have weight in a column, and how much."""

    starts: Int64
    images: Int64
    weights: Float32
    size: int

    @classmethod
    def of(cls, encoding: SparseRows, queries: int) -> InvertedIndex:
        """Of the rows after those of the queries."""
        count = len(encoding.starts) - 1
        images = np.repeat(np.arange(count - queries), np.diff(encoding.starts[queries:]))
        entries = slice(encoding.starts[queries], None)
        order = np.argsort(encoding.columns[entries], kind="stable")
        starts = np.searchsorted(encoding.columns[entries], np.arange(count + 1), sorter=order)
        return cls(starts, images[order], encoding.weights[entries][order], count - queries)

    def overlap(self, columns: Int32, weights: Float32) -> Float32:
        """Sum over the columns of the smaller of both weights, for every gallery image, as [G] float32."""
        lengths = self.starts[columns + 1] - self.starts[columns]
        entries = ragged(self.starts[columns], lengths)
        smaller = np.minimum(self.weights[entries], np.repeat(weights, lengths))
        return np.bincount(self.images[entries], smaller, minlength=self.size).astype(np.float32)


def _neighbour_lists(features: Float32, count: int, metric: Metric, pool: Executor) -> tuple[Int32, Float32]:
    """The nearest `count` images of every image [N, count], itself among them, and its largest squared distance [N]."""
    lists, largest = [], []
    for block in GalleryDistances(features, metric).blocks(features):
        lists.append(nearest(block, count, pool).indices.astype(np.int32))
        largest.append(np.concatenate(list(pool.map(_row_maxima, [block[group] for group in row_groups(block)]))))
    scale = np.square(np.concatenate(largest))
    return np.concatenate(lists), np.where(scale > 0, scale, np.float32(1))


def _row_maxima(block: Float32) -> Float32:
    maxima: Float32 = block.max(axis=1)
    return maxima


def _reciprocal(lists: Int32) -> Int32:
    """lists [N, k] where image i is among the neighbours of its neighbour too, -1 elsewhere."""
    own = np.arange(len(lists), dtype=np.int32)[:, None]
    mutual = np.zeros(lists.shape, np.bool_)
    for column in np.ascontiguousarray(lists.T):
        mutual |= column[lists] == own
    return np.where(mutual, lists, np.int32(-1))


def _encode(
    features: Float32, lists: Int32, half: Int32, largest: Float32, metric: Metric, pool: Executor
) -> SparseRows:
    """Gaussian weights of each image's expanded reciprocal set, as rows that sum to 1 (equations 3, 5 and 7).

    lists [N, k1 + 1] are the neighbours, half [N, k1 / 2 + 1] their first half.
    """
    sets, half_sets = _reciprocal(lists), _reciprocal(half)

    def rows_from(start: int) -> tuple[Int64, Int32, Float32]:
        rows, columns = _expanded(sets[start : start + CHUNK_ROWS], half_sets)
        distances = np.square(pair_distances(features, start + rows, columns, metric))
        weights = np.exp(-distances / largest[start + rows])
        return start + rows, columns, (weights / np.bincount(rows, weights)[rows]).astype(np.float32)

    return SparseRows.joined(pool.map(rows_from, range(0, len(sets), CHUNK_ROWS)), len(sets))


def _expanded(sets: Int32, half_sets: Int32) -> tuple[Int64, Int32]:
    """Each set [b, k] joined with the half set of every member that lies in it by more than two thirds.

    Entries (row, image) ordered by row and image, each once; half_sets [N, h].
    """
    candidates = half_sets[sets]  # [b, k, h]
    present = (candidates >= 0) & (sets >= 0)[..., None]
    inside = np.zeros(candidates.shape, np.bool_)
    for member in sets.T:
        inside |= candidates == member[:, None, None]
    accepted = 3 * (inside & present).sum(axis=2) > 2 * present.sum(axis=2)
    joined = np.where(present & accepted[..., None], candidates, np.int32(-1)).reshape(len(sets), -1)
    entries = np.sort(np.concatenate([sets, joined], axis=1), axis=1)
    first = entries >= 0
    first[:, 1:] &= entries[:, 1:] != entries[:, :-1]
    rows, places = np.nonzero(first)
    return rows, entries[rows, places]


def _averaged(encoding: SparseRows, neighbours: Int32, pool: Executor) -> SparseRows:
    """Row i becomes the mean of the rows neighbours[i] (local query expansion, equation 11)."""

    def rows_from(start: int) -> tuple[Int64, Int32, Float32]:
        near = neighbours[start : start + CHUNK_ROWS]
        lengths = (encoding.starts[near + 1] - encoding.starts[near]).reshape(-1)
        entries = ragged(encoding.starts[near].reshape(-1), lengths)
        rows = np.repeat(np.repeat(np.arange(len(near)), near.shape[1]), lengths)
        keys = (rows << 32) + encoding.columns[entries]
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        firsts = np.flatnonzero(np.diff(keys, prepend=-1))
        weights: Float32 = np.add.reduceat(encoding.weights[entries][order], firsts)
        weights /= near.shape[1]
        return start + (keys[firsts] >> 32), keys[firsts].astype(np.int32), weights

    return SparseRows.joined(pool.map(rows_from, range(0, len(neighbours), CHUNK_ROWS)), len(neighbours))
