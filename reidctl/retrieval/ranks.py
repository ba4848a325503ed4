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

from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reidctl.errors import InputError
from reidctl.retrieval.arrays import GROUP_BYTES, key_values, ragged, row_groups, sort_keys, thread_pool

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from reidctl.retrieval.on_device import Block
    from reidctl.types import Float32, Int64

    Bool = NDArray[np.bool_]

# A row's nearest sixteenth is cheaper to cut out and sort than to compare with every threshold.
FEW = 16
# So many 64-bit words are added up before their bytes are; a byte would overflow past 255.
LANE = 128
# Columns that stay in the first-level cache while they are compared with one threshold after the other.
TILE = 64 * LANE


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
        return ragged(np.ones_like(self.counts), self.counts)

    @classmethod
    def joined(cls, parts: list[MatchRanks]) -> MatchRanks:
        """Those of consecutive queries as one."""
        return cls(np.concatenate([part.ranks for part in parts]), np.concatenate([part.counts for part in parts]))


class Matches:
    """Which gallery images are the matches of each query, and which are removed from its ranking.

    Identities and cameras as [Q] and [G] integers. Junk (gallery identity -1) takes no part: `kept` [G'] are the
    positions of the other gallery images, and every column below counts those. A junk query has no match.
    counts [Q] is the number of matches of each query.
    """

    def __init__(
        self, query_ids: ArrayLike, gallery_ids: ArrayLike, query_cams: ArrayLike, gallery_cams: ArrayLike
    ) -> None:
        query_ids, query_cams = _labels(query_ids, query_cams, "query")
        gallery_ids, gallery_cams = _labels(gallery_ids, gallery_cams, "gallery")
        self._gallery_size = len(gallery_ids)
        self.kept = np.flatnonzero(gallery_ids >= 0)
        names, cams = np.unique(np.concatenate([query_cams, gallery_cams]), return_inverse=True)
        groups = gallery_ids[self.kept] * len(names) + cams[len(query_ids) :][self.kept]
        own = query_ids * len(names) + cams[: len(query_ids)]
        self._order = np.argsort(groups, kind="stable")
        groups = groups[self._order]
        self._first = np.searchsorted(groups, query_ids * len(names))
        self._last = np.searchsorted(groups, (query_ids + 1) * len(names))
        self._own_first = np.searchsorted(groups, own)
        self._own_last = np.searchsorted(groups, own, "right")
        self.counts = (self._last - self._first) - (self._own_last - self._own_first)

    def queries(self, features: Float32) -> Float32:
        """The query features, one row per query."""
        return _one_row_each(features, len(self.counts), "query")

    def gallery(self, features: Float32) -> Float32:
        """The gallery features without junk; not copied when there is none. InputError if nothing is left."""
        features = _one_row_each(features, self._gallery_size, "gallery")
        if not len(self.kept):
            raise InputError(f"all {self._gallery_size} gallery images are junk (identity -1)")
        return features if len(self.kept) == self._gallery_size else features[self.kept]

    def require_valid(self) -> None:
        """InputError unless some query has a match, saying why none has."""
        if self.counts.any():
            return
        same = int((self._last - self._first).sum())
        if not same:
            raise InputError(
                f"no identity of the {len(self.counts)} queries occurs in the gallery of {len(self.kept)} images",
                "query and gallery must number the same people in the same way",
            )
        raise InputError(
            f"no query has a match: all {same} gallery images of a query's identity have the query's camera too",
            "a match must come from another camera; usually every image was given the same camera number",
        )

    def same_identity(self, start: int, stop: int) -> tuple[Int64, Int64, Bool]:
        """Gallery images of the identity of queries start…stop: (row, column, is a match), flat, by row.

        row counts from start; what is not a match is removed from that query's ranking.
        """
        here = slice(start, stop)
        lengths = self._last[here] - self._first[here]
        rows = np.repeat(np.arange(len(lengths)), lengths)
        places = ragged(self._first[here], lengths)
        matching = (places < self._own_first[here][rows]) | (places >= self._own_last[here][rows])
        return rows, self._order[places], matching

    def ranks(self, block: Block, start: int, pool: Executor) -> MatchRanks:
        """Ranks of the matches of the queries from start on, whose distances are block [b, G']."""
        matches = BlockMatches.of(self, block, start)
        wrong = self.wrong_within(block, start, matches.thresholds, pool)
        return matches.ranks(wrong)

    def wrong_within(self, block: Block, start: int, thresholds: Float32, pool: Executor) -> Int64:
        """How many wrong images are at most at each threshold from the queries from start on: [b, P].

        block [b, G'] are their distances, thresholds [b, P] as those of `BlockMatches`.
        """
        rows, columns, _ = self.same_identity(start, start + len(block))
        keys, each = np.sort(sort_keys(rows, block[rows, columns])), np.arange(len(block))[:, None]
        same = np.searchsorted(keys, sort_keys(each, thresholds), "right") - np.searchsorted(keys, each << 32)
        return count_within(block, thresholds, pool) - same


@dataclass(frozen=True)
class BlockMatches:
    """Distances of the matches of b queries, ascending: thresholds [b, P] float32, padded with -inf; counts [b]."""

    thresholds: Float32
    counts: Int64

    @classmethod
    def of(cls, matches: Matches, block: Block, start: int) -> BlockMatches:
        """Those of the queries from start on, whose distances are block [b, G']."""
        rows, columns, matching = matches.same_identity(start, start + len(block))
        return cls.gathered(rows[matching], block[rows[matching], columns[matching]], len(block))

    @classmethod
    def gathered(cls, rows: Int64, distances: Float32, size: int) -> BlockMatches:
        """From flat distances and the queries, 0…size-1, that they belong to, in any order."""
        keys = np.sort(sort_keys(rows, distances))
        counts = np.bincount(keys >> 32, minlength=size)
        thresholds = np.full((size, counts.max(initial=1)), -np.inf, np.float32)
        thresholds[keys >> 32, ragged(np.zeros_like(counts), counts)] = key_values(keys)
        return cls(thresholds, counts)

    def ranks(self, wrong: Int64) -> MatchRanks:
        """From the number of wrong images [b, P] within each threshold."""
        rows, places = (
            np.repeat(np.arange(len(self.counts)), self.counts),
            ragged(np.ones_like(self.counts), self.counts),
        )
        return MatchRanks(wrong[rows, places - 1] + places, self.counts)


def match_ranks(matches: Matches, blocks: Iterable[Block]) -> MatchRanks:
    """Ranks of the matches of all queries, whose distances [b, G'] come in consecutive blocks."""
    parts, start = [], 0
    with thread_pool() as pool:
        for block in blocks:
            parts.append(matches.ranks(block, start, pool))
            start += len(block)
    return MatchRanks.joined(parts)


def count_within(block: Block, thresholds: Float32, pool: Executor) -> Int64:
    """How many numbers of row i of block [b, G] are at most thresholds[i, j], as [b, P] int64.

    Rows of thresholds [b, P] hold finite numbers first, then -inf as padding, for which the count is 0.
    """
    if not isinstance(block, np.ndarray):
        return block.count_within(thresholds)
    parts = pool.map(lambda group: _count_rows(block[group], thresholds[group]), row_groups(block))
    return np.concatenate(list(parts))


def _count_rows(block: Float32, thresholds: Float32) -> Int64:
    counts = np.zeros(thresholds.shape, np.int64)
    near = _mask(block, thresholds.max(axis=1, keepdims=True))
    few = _count_true(near) * FEW < block.shape[1]
    near[~few] = False
    counts[few] = _count_few(block, near, thresholds)[few]
    widths = np.isfinite(thresholds).sum(axis=1)
    many = np.flatnonzero(~few)
    many = many[np.argsort(-widths[many])]
    while len(many):
        width = widths[many[0]]
        rows = max(1, GROUP_BYTES // (TILE * width))
        picked, many = many[:rows], many[rows:]
        for start in range(0, block.shape[1], TILE):
            masks = _mask(block[picked, None, start : start + TILE], thresholds[picked, :width, None])
            counts[picked, :width] += _count_true(masks)
    return counts


def _count_few(block: Float32, near: Bool, thresholds: Float32) -> Int64:
    """The counts where all that counts is marked in near [b, padded G]."""
    rows, columns = np.divmod(np.flatnonzero(near), near.shape[1])
    keys = np.sort(sort_keys(rows, block[rows, columns]))
    each = np.arange(len(block))[:, None]
    within = np.searchsorted(keys, sort_keys(each, thresholds), "right")
    return within - np.searchsorted(keys, each << 32)


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
    counts: Int64 = np.add.reduce(lanes.view(np.uint8), axis=-1, dtype=np.int64)
    return counts


def _labels(ids: ArrayLike, cams: ArrayLike, what: str) -> tuple[Int64, Int64]:
    identities, cameras = np.asarray(ids, dtype=np.int64), np.asarray(cams, dtype=np.int64)
    if identities.ndim != 1 or identities.shape != cameras.shape:
        raise InputError(f"{what}: identities {identities.shape} and cameras {cameras.shape} must be two equal lists")
    return identities, cameras


def _one_row_each(features: Float32, count: int, what: str) -> Float32:
    if len(features) != count:
        raise InputError(f"{what}: {len(features)} features for {count} identities")
    return features
