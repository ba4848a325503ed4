"""CMC, mAP and mINP of embeddings under the Market-1501 protocol, exact and streaming.

The protocol is that of `reidctl.retrieval.ranks`. mINP: M. Ye et al., Deep Learning for Person
Re-identification: A Survey and Outlook, TPAMI 2021, section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from reidctl.retrieval.distance import Metric
from reidctl.retrieval.ranks import Matches, MatchRanks, match_ranks
from reidctl.retrieval.reranking import distance_blocks
from reidctl.types import Metrics

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from reidctl.config import Rerank
    from reidctl.types import Embeddings, Float32

    Float64 = NDArray[np.float64]

APRule = Literal["step", "trapezoid"]


def evaluate(
    query: Embeddings,
    gallery: Embeddings,
    *,
    metric: Metric = "cosine",
    ranks: Sequence[int] = (1, 5, 10, 20),
    ap_rule: APRule = "step",
    rerank: Rerank | None = None,
    device: str = "cpu",
) -> Metrics:
    """`evaluate_features` of embeddings that know their samples."""
    return evaluate_features(
        query.vectors,
        gallery.vectors,
        query.identities,
        gallery.identities,
        query.cameras,
        gallery.cameras,
        metric=metric,
        ranks=ranks,
        ap_rule=ap_rule,
        rerank=rerank,
        device=device,
    )


def evaluate_features(
    query_features: Float32,
    gallery_features: Float32,
    query_ids: ArrayLike,
    gallery_ids: ArrayLike,
    query_cams: ArrayLike,
    gallery_cams: ArrayLike,
    *,
    metric: Metric = "cosine",
    ranks: Sequence[int] = (1, 5, 10, 20),
    ap_rule: APRule = "step",
    rerank: Rerank | None = None,
    device: str = "cpu",
) -> Metrics:
    """Rank-k, mAP and mINP of features [Q, D] and [G, D] (arrays or memory maps), identities and cameras [Q], [G].

    Gallery images of identity -1 (junk) are ignored; every other identity without a query, such as the
    distractors of Market-1501, is simply wrong. A query without a match in another camera is invalid: left out
    of the means and counted. A rank beyond the gallery is that of the whole gallery: 1. Memory: the gallery
    once more as float32 (where it has junk, its other rows as they are, too), and at most 256 MiB of distances
    whatever the number of queries. Re-ranking holds both sides twice more as float32.
    device: `cpu`, `cuda`, `cuda:N` or `auto`; on a GPU distances are computed, counted and re-ranked there.
    InputError when shapes disagree, a feature is not finite, or no query at all has a match; ConfigError for a
    device that is not there.
    """
    matches = Matches(query_ids, gallery_ids, query_cams, gallery_cams)
    matches.require_valid()
    queries, gallery = matches.queries(query_features), matches.gallery(gallery_features)
    found = match_ranks(matches, distance_blocks(queries, gallery, metric, rerank, device))
    return summary(found, len(gallery), metric=metric, ranks=ranks, ap_rule=ap_rule, reranked=rerank is not None)


def summary(
    found: MatchRanks, gallery: int, *, metric: Metric, ranks: Sequence[int], ap_rule: APRule, reranked: bool
) -> Metrics:
    """The means over the valid queries; gallery is the number of images that could be ranked."""
    valid = found.counts > 0
    first = found.ranks[found.starts[valid]]
    last = found.ranks[(found.starts + found.counts - 1)[valid]]
    return Metrics(
        cmc={k: float((first <= k).mean()) for k in ranks},
        mAP=float(average_precision(found, ap_rule)[valid].mean()),
        mINP=float((found.counts[valid] / last).mean()),
        valid_queries=int(valid.sum()),
        invalid_queries=int((~valid).sum()),
        gallery=gallery,
        ap_rule=ap_rule,
        metric=metric,
        reranked=reranked,
    )


def average_precision(found: MatchRanks, rule: APRule = "step") -> Float64:
    """AP of every query [Q], nan where it has no match.

    step: the mean of the precision at each match, the usual rule. trapezoid: the area under the
    precision-recall curve drawn with straight lines (Oxford buildings, Open Model Zoo): at each match the mean
    of the precision there and one place before, which is 1 before the first place.
    """
    precision = found.places / found.ranks
    if rule == "trapezoid":
        before = np.where(found.ranks == 1, 1.0, (found.places - 1) / np.maximum(found.ranks - 1, 1))
        precision = (precision + before) / 2
    queries = np.repeat(np.arange(len(found.counts)), found.counts)
    totals = np.bincount(queries, precision, minlength=len(found.counts))
    means = np.full(len(totals), np.nan)
    np.divide(totals, found.counts, out=means, where=found.counts > 0)
    return means
