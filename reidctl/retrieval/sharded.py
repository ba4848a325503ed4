"""CMC, mAP and mINP of a gallery that no one machine holds: every part of it counts for itself.

The rank of a match is one plus the matches before it and the wrong images that are as close or closer, in whatever part
they are, so ranks are sums of whole numbers and no part needs to know of another. A block of queries goes to every part
twice: for the distances of its matches there, and, with those of all parts, for the wrong images within each of them.

Distances are those of `reidctl.evaluate_features`, to the last bit or one beside it: a BLAS without AVX-512 rounds a
product by how it is cut up, as it does there from one number of threads to another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reidctl.errors import InputError
from reidctl.retrieval.arrays import thread_pool
from reidctl.retrieval.distance import BLOCK_ROWS, GalleryDistances, Metric
from reidctl.retrieval.evaluation import APRule, QueryScores, Scoring
from reidctl.retrieval.inputs import require_directions
from reidctl.retrieval.ranks import BlockMatches, Matches, MatchRanks

if TYPE_CHECKING:
    from reidctl.types import Embeddings, Float32, Int64, Metrics

HELD = 2
"""Blocks of distances that a part keeps between the two questions about them; others it computes again."""


@dataclass(frozen=True)
class QueryBlock:
    """Queries from `start` on: features [b, D], identities and cameras [b]."""

    start: int
    features: Float32
    ids: Int64
    cams: Int64

    @classmethod
    def cut(cls, queries: Embeddings, rows: int = BLOCK_ROWS) -> Iterator[QueryBlock]:
        """All queries, `rows` at a time."""
        ids, cams = queries.identities, queries.cameras
        for start in range(0, len(ids), rows):
            here = slice(start, start + rows)
            yield cls(start, queries.vectors[here], ids[here], cams[here])


class GalleryPart:
    """Consecutive images of a gallery: features [G, D], identities and cameras [G]; junk (identity -1) is left out.

    InputError for features that are not finite, and for a zero vector where the metric is `cosine`.
    """

    def __init__(self, features: Float32, ids: Int64, cams: Int64, metric: Metric = "cosine") -> None:
        kept = ids >= 0
        self._ids, self._cams, self._metric = ids[kept], cams[kept], metric
        if metric == "cosine":
            require_directions(features[kept], "gallery")
        self._gallery = GalleryDistances(features[kept], metric) if kept.any() else None
        self._held: dict[int, Float32] = {}

    def matches(self, queries: QueryBlock) -> tuple[Int64, Float32]:
        """The images here that match: rows [M] of the block, and distances [M] float32."""
        if self._gallery is None:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        block = self._distances(queries)
        rows, columns, matching = self._matches(queries).same_identity(0, len(block))
        return rows[matching], block[rows[matching], columns[matching]]

    def wrong_within(self, queries: QueryBlock, thresholds: Float32) -> Int64:
        """How many wrong images here are at most at each threshold [b, P] from each query: [b, P]."""
        if self._gallery is None:
            return np.zeros(thresholds.shape, np.int64)
        block = self._distances(queries)
        with thread_pool() as pool:
            counts = self._matches(queries).wrong_within(block, 0, thresholds, pool)
        self._held.pop(queries.start, None)
        return counts

    def _matches(self, queries: QueryBlock) -> Matches:
        return Matches(queries.ids, self._ids, queries.cams, self._cams)

    def _distances(self, queries: QueryBlock) -> Float32:
        if queries.start not in self._held:
            if self._metric == "cosine":
                require_directions(queries.features, "query")
            assert self._gallery is not None
            while len(self._held) >= HELD:
                self._held.pop(next(iter(self._held)))
            blocks = [block.copy() for block in self._gallery.blocks(queries.features)]
            self._held[queries.start] = np.concatenate(blocks)
        return self._held[queries.start]


def joined_matches(found: Sequence[tuple[Int64, Float32]], size: int) -> BlockMatches:
    """What all parts answered to `GalleryPart.matches` about a block of `size` queries, as one."""
    rows, distances = zip(*found, strict=True)
    return BlockMatches.gathered(np.concatenate(rows), np.concatenate(distances), size)


def metrics_of(
    found: Sequence[MatchRanks],
    gallery: int,
    *,
    metric: Metric = "cosine",
    ranks: Sequence[int] = (1, 5, 10, 20),
    ap_rule: APRule = "step",
) -> Metrics:
    """The figures of consecutive blocks of queries in a gallery of so many images that are not junk.

    InputError where no query has a match.
    """
    scoring = Scoring(tuple(ranks), ap_rule, "market1501", 0)
    joined = MatchRanks.joined(list(found))
    if not len(joined.ranks):
        raise InputError(
            f"none of the {len(joined.counts)} queries has a match in the gallery of {gallery} images",
            "a match shows the same identity and comes from another camera",
        )
    return QueryScores.of(joined, ap_rule).means(scoring, gallery, metric)
