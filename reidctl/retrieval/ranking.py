"""The first images of the gallery for each query: what galleries show and what goes wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reidctl.retrieval.arrays import thread_pool
from reidctl.retrieval.distance import Metric, require_metric
from reidctl.retrieval.evaluation import APRule, average_precision
from reidctl.retrieval.inputs import require_distances, require_images
from reidctl.retrieval.nearest import Neighbours, joined, nearest
from reidctl.retrieval.ranks import Matches, MatchRanks
from reidctl.retrieval.reranking import distance_blocks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from reidctl.config import Rerank
    from reidctl.types import Embeddings, Float32, Int64

    Bool = NDArray[np.bool_]
    Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Ranking:
    """The nearest gallery images of some queries, what the Market-1501 protocol removes left out.

    Row i is about query `queries[i]`: gallery [N, k] int64 positions in the gallery, ascending by distances
    [N, k] float32, and whether they show the same person: correct [N, k] bool. Where fewer than k images
    remain, the row ends with position -1 at distance inf. average_precision [N] is nan for a query without a match.
    """

    queries: Int64
    gallery: Int64
    distances: Float32
    correct: Bool
    average_precision: Float64

    def take(self, rows: ArrayLike) -> Ranking:
        """These rows, in this order."""
        rows = np.asarray(rows, dtype=np.int64)
        return Ranking(
            self.queries[rows],
            self.gallery[rows],
            self.distances[rows],
            self.correct[rows],
            self.average_precision[rows],
        )

    def worst_rows(self, count: int) -> Int64:
        """[N] the rows of the valid queries of the lowest AP, lowest first, earlier rows first among equals."""
        valid = np.flatnonzero(~np.isnan(self.average_precision))
        return valid[np.argsort(self.average_precision[valid], kind="stable")[:count]]

    def best_rows(self, count: int) -> Int64:
        """[N] the rows of the valid queries of the highest AP, highest first, earlier rows first among equals."""
        valid = np.flatnonzero(~np.isnan(self.average_precision))
        return valid[np.argsort(-self.average_precision[valid], kind="stable")[:count]]

    def random_rows(self, count: int, seed: int) -> Int64:
        """[N] rows of any queries in their order, the same for the same seed."""
        drawn = np.random.default_rng(seed).permutation(len(self.queries))[:count]
        return np.sort(drawn)

    def worst_rows_of_each(self, cameras: ArrayLike, count: int) -> Int64:
        """[N] `worst_rows` of each camera, the cameras ascending; cameras [Q] are those of the rows."""
        cameras = np.asarray(cameras)
        ordered = self.worst_rows(len(self.queries))
        return np.concatenate([ordered[cameras[ordered] == camera][:count] for camera in np.unique(cameras)])


def rank_gallery(
    query: Embeddings,
    gallery: Embeddings,
    topk: int = 10,
    *,
    metric: Metric = "cosine",
    ap_rule: APRule = "step",
    rerank: Rerank | None = None,
    device: str = "cpu",
) -> Ranking:
    """The first topk gallery images of every query, computed a block of queries at a time.

    Ties are listed by gallery position; AP counts them as `evaluate` does. device and errors are as for
    `evaluate_features`, except that queries without a match are ranked too.
    """
    require_metric(metric)
    require_images(query.vectors, gallery.vectors)
    matches = Matches(query.identities, gallery.identities, query.cameras, gallery.cameras)
    queries, vectors = matches.queries(query.vectors), matches.gallery(gallery.vectors)
    require_distances(queries, vectors, metric)
    nearby: list[Neighbours] = []
    found: list[MatchRanks] = []
    start = 0
    with thread_pool() as pool:
        for block in distance_blocks(queries, vectors, metric, rerank, device):
            found.append(matches.ranks(block, start, pool))
            rows, columns, matching = matches.same_identity(start, start + len(block))
            block[rows[~matching], columns[~matching]] = np.inf
            nearby.append(nearest(block, topk, pool))
            start += len(block)
    first = joined(nearby)
    remains = np.isfinite(first.distances)
    positions = matches.kept[first.indices]
    return Ranking(
        queries=np.arange(len(queries)),
        gallery=np.where(remains, positions, -1),
        distances=first.distances,
        correct=remains & (gallery.identities[positions] == query.identities[:, None]),
        average_precision=average_precision(MatchRanks.joined(found), ap_rule),
    )
