"""Ranks of every query's matches under the Market-1501 protocol, found by counting instead of sorting.

Protocol: L. Zheng et al., Scalable Person Re-identification: A Benchmark, ICCV 2015, section 5. For one query,
a gallery image of the same identity by the same camera is removed, one of the same identity by another
camera is a match, every other image is wrong.

CMC, AP and INP need no more than the ranks of the matches, and a rank is one plus the number of images that
are closer: comparisons against a handful of thresholds, where a full sort would order 80,000 distances.

Ties: wrong images come before a match at the same distance. No order of the gallery can then flatter a model
(one that answers the same vector for everything scores worst), and the result does not depend on that order.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reidctl.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from reidctl.types import Float32, Int64

    Bool = NDArray[np.bool_]

# Comparison masks stay in the second-level cache.
MASK_BYTES = 2**20
# A row's nearest sixteenth is cheaper to cut out and sort than to compare with every threshold.
FEW = 16
# A byte counts at most this many of its kind before it is carried over.
LANE = 128


@dataclass(frozen=True)
class MatchRanks:
    """Ranks of the matches, 1 and up, ascending within a query; the first counts[0] are those of query 0, and so on.

    ranks [M] int64, counts [Q] int64: a query with count 0 has no match (is invalid).
    """

    ranks: Int64
    counts: Int64

    @property
    def starts(self) -> Int64:
        """[Q] position of each query's first rank."""
        return np.cumsum(self.counts) - self.counts

    @property
    def places(self) -> Int64:
        """[M] 1 for the first match of its query, 2 for the second, …"""
        return np.arange(1, len(self.ranks) + 1) - np.repeat(self.starts, self.counts)


class Matches:
    """Which gallery images are the matches of each query, and which are removed from its ranking.

    Identities and cameras as [Q] and [G] integers. Junk (gallery identity -1) takes no part: `kept` [G'] are the
    positions of the other gallery images, and every column below counts those. A junk query has no match.
    """

    def __init__(
        self, query_ids: ArrayLike, gallery_ids: ArrayLike, query_cams: ArrayLike, gallery_cams: ArrayLike
    ) -> None:
        self._query_ids, self._query_cams = _labels(query_ids, query_cams, "query")
        gallery_ids, gallery_cams = _labels(gallery_ids, gallery_cams, "gallery")
        self._gallery_size = len(gallery_ids)
        self.kept = np.flatnonzero(gallery_ids >= 0)
        self._gallery_cams = gallery_cams[self.kept]
        self._by_identity = np.argsort(gallery_ids[self.kept], kind="stable")
        known = gallery_ids[self.kept][self._by_identity]
        self._first = np.searchsorted(known, self._query_ids, "left")
        self._last = np.searchsorted(known, self._query_ids, "right")

    def queries(self, features: Float32) -> Float32:
        """The query features, one row per query."""
        return _one_row_each(features, len(self._query_ids), "query")

    def gallery(self, features: Float32) -> Float32:
        """The gallery features without junk; not copied when there is none."""
        features = _one_row_each(features, self._gallery_size, "gallery")
        return features if len(self.kept) == self._gallery_size else features[self.kept]

    def require_valid(self) -> None:
        """InputError unless some query has a match, saying why none has."""
        rows, _, matching = self.same_identity(0, len(self._query_ids))
        if matching.any():
            return
        if not len(rows):
            raise InputError(
                f"no identity of the {len(self._query_ids)} queries occurs in the gallery of {len(self.kept)} images",
                "query and gallery must number the same people in the same way",
            )
        raise InputError(
            f"no query has a match: all {len(rows)} gallery images of the queries' identities have the camera of "
            "their query, and a match must come from another one",
            "usually every image got the same camera number: give each camera its own",
        )

    def same_identity(self, start: int, stop: int) -> tuple[Int64, Int64, Bool]:
        """Gallery images of the identity of queries start…stop: (row, column, is a match), flat, by row.

        row counts from start; what is not a match is removed from that query's ranking.
        """
        lengths = (self._last - self._first)[start:stop]
        rows = np.repeat(np.arange(len(lengths)), lengths)
        columns = self._by_identity[ragged(self._first[start:stop], lengths)]
        return rows, columns, self._gallery_cams[columns] != self._query_cams[start:stop][rows]

    def ranks(self, block: Float32, start: int, pool: Executor) -> MatchRanks:
        """Ranks of the matches of the queries from start on, whose distances are block [b, G]."""
        rows, columns, matching = self.same_identity(start, start + len(block))
        keys = np.sort(sort_keys(rows, block[rows, columns]))
        wanted = np.sort(sort_keys(rows[matching], block[rows[matching], columns[matching]]))
        wanted_rows = wanted >> 32
        counts = np.bincount(wanted_rows, minlength=len(block))
        result = MatchRanks(np.empty(0, np.int64), counts)
        places = np.arange(1, len(wanted) + 1) - np.repeat(result.starts, counts)
        thresholds = np.full((len(block), counts.max(initial=1)), -np.inf, np.float32)
        thresholds[wanted_rows, places - 1] = key_values(wanted)
        within = count_within(block, thresholds, pool)[wanted_rows, places - 1]
        own = np.searchsorted(keys, wanted, "right") - np.searchsorted(keys, wanted_rows << 32)
        return MatchRanks(within - own + places, counts)


def match_ranks(matches: Matches, blocks: Iterable[Float32]) -> MatchRanks:
    """Ranks of the matches of all queries, whose distances [b, G'] come in consecutive blocks."""
    parts, start = [], 0
    with counting_pool() as pool:
        for block in blocks:
            parts.append(matches.ranks(block, start, pool))
            start += len(block)
    return MatchRanks(np.concatenate([part.ranks for part in parts]), np.concatenate([part.counts for part in parts]))


def counting_pool() -> ThreadPoolExecutor:
    """Threads that count side by side: numpy releases the lock inside the comparisons."""
    return ThreadPoolExecutor(os.cpu_count() or 1)


def count_within(block: Float32, thresholds: Float32, pool: Executor) -> Int64:
    """How many numbers of row i of block [b, G] are at most thresholds[i, j], as [b, P] int64.

    Rows of thresholds [b, P] hold finite numbers first, then -inf as padding, for which the count is 0.
    """
    rows = max(1, MASK_BYTES // max(block.shape[1], 1))
    starts = range(0, len(block), rows)
    parts = pool.map(lambda at: _count_rows(block[at : at + rows], thresholds[at : at + rows]), starts)
    return np.concatenate(list(parts))


def _count_rows(block: Float32, thresholds: Float32) -> Int64:
    counts = np.zeros(thresholds.shape, np.int64)
    near = _mask(block, thresholds.max(axis=1, keepdims=True))
    few = _count_true(near) * FEW < block.shape[1]
    counts[few] = _count_few(block[few], near[few, : block.shape[1]], thresholds[few])
    widths = np.isfinite(thresholds).sum(axis=1)
    many = np.flatnonzero(~few)
    many = many[np.argsort(-widths[many])]
    while len(many):
        width = widths[many[0]]
        rows = max(1, MASK_BYTES // (near.shape[1] * width))
        picked, many = many[:rows], many[rows:]
        masks = _mask(block[picked, None, :], thresholds[picked, :width, None])
        counts[picked, :width] = _count_true(masks)
    return counts


def _count_few(block: Float32, near: Bool, thresholds: Float32) -> Int64:
    cells = np.flatnonzero(near)
    keys = np.sort(sort_keys(cells // block.shape[1], block.reshape(-1)[cells]))
    rows = np.arange(len(block))[:, None]
    within = np.searchsorted(keys, sort_keys(rows, thresholds), "right")
    return within - np.searchsorted(keys, rows << 32)


def _mask(block: Float32, thresholds: Float32) -> Bool:
    """block <= thresholds, its last axis padded with False to whole groups of lanes."""
    shape = np.broadcast_shapes(block.shape, thresholds.shape)
    width = -(-shape[-1] // (8 * LANE)) * 8 * LANE
    mask = np.empty((*shape[:-1], width), np.bool_)
    mask[..., shape[-1] :] = False
    np.less_equal(block, thresholds, out=mask[..., : shape[-1]])
    return mask


def _count_true(mask: Bool) -> Int64:
    """Number of True along the padded last axis: eight bytes are added at a time, as one 64-bit word."""
    lanes = np.add.reduce(mask.view(np.uint64).reshape(*mask.shape[:-1], -1, LANE), axis=-1)
    return np.add.reduce(lanes.view(np.uint8), axis=-1, dtype=np.int64)


def sort_keys(rows: Int64, values: Float32) -> Int64:
    """Integers that order by row, then by value: row in the upper half, the float's bits made monotonic below."""
    bits = (values + np.float32(0)).view(np.int32).astype(np.int64)
    return (rows << 32) + (bits ^ ((bits >> 63) & 0x7FFFFFFF)) + 2**31


def key_values(keys: Int64) -> Float32:
    """The values that `sort_keys` packed."""
    bits = (keys & 0xFFFFFFFF) - 2**31
    return (bits ^ ((bits >> 63) & 0x7FFFFFFF)).astype(np.int32).view(np.float32)


def ragged(starts: Int64, lengths: Int64) -> Int64:
    """starts[0], starts[0]+1, … (lengths[0] of them), then the same for starts[1], …, as one flat array."""
    return np.arange(lengths.sum()) + np.repeat(starts - np.cumsum(lengths) + lengths, lengths)


def _labels(ids: ArrayLike, cams: ArrayLike, what: str) -> tuple[Int64, Int64]:
    identities, cameras = np.asarray(ids, dtype=np.int64), np.asarray(cams, dtype=np.int64)
    if identities.ndim != 1 or identities.shape != cameras.shape:
        raise InputError(f"{what}: identities {identities.shape} and cameras {cameras.shape} must be two equal lists")
    return identities, cameras


def _one_row_each(features: Float32, count: int, what: str) -> Float32:
    if len(features) != count:
        raise InputError(f"{what}: {len(features)} features for {count} identities")
    return features
