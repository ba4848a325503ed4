"""One data set that a model was tested on, with everything that a report tells of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reidctl.report.embedding_map import EmbeddingMap, embedding_maps
from reidctl.report.suspects import Suspects, suspects
from reidctl.retrieval.analysis import Analysis, analyse
from reidctl.retrieval.ranking import Ranking, rank_gallery
from reidctl.retrieval.ranks import Matches
from reidctl.retrieval.thresholds import allowed, different_pairs

if TYPE_CHECKING:
    from reidctl.config import Rerank
    from reidctl.types import Embeddings

WORST, BEST = 24, 8
RESAMPLES = 1000
RATES = (1e-2, 1e-3, 1e-4)
"""False match rates whose thresholds a report tells, where a set has pairs enough."""


@dataclass(frozen=True)
class TargetReport:
    """The embeddings of a data set, what was found, and which queries to show.

    ranking has all queries in their order, with the AP of the analysis; shown are rows of it. maps are empty for fewer
    than three images.
    """

    name: str
    query: Embeddings
    gallery: Embeddings
    analysis: Analysis
    ranking: Ranking
    shown: tuple[int, ...]
    suspects: Suspects
    maps: tuple[EmbeddingMap, ...]


def analyse_in_full(
    query: Embeddings,
    gallery: Embeddings,
    *,
    false_match_rates: Sequence[float] | None = None,
    bootstrap: int = RESAMPLES,
    **scoring: Any,
) -> Analysis:
    """`analyse` with everything that a report tells: intervals, thresholds, cameras; scoring: its other arguments.

    false_match_rates: None for those of RATES that the set has pairs enough for.
    """
    if false_match_rates is None:
        matches = Matches(query.identities, gallery.identities, query.cameras, gallery.cameras)
        pairs = int(different_pairs(matches).sum())
        false_match_rates = [rate for rate in RATES if allowed(rate, pairs)]
    return analyse(query, gallery, **scoring, false_match_rates=false_match_rates, bootstrap=bootstrap, by_camera=True)


def examine(
    name: str,
    query: Embeddings,
    gallery: Embeddings,
    analysis: Analysis,
    *,
    rerank: Rerank | None = None,
    device: str = "cpu",
    topk: int = 10,
    ranking: Ranking | None = None,
    shown: Sequence[int] | None = None,
    umap: bool = False,
) -> TargetReport:
    """What a report tells of a data set beyond `analysis`, whose metric and rule of AP it takes.

    rerank, device: those of the analysis; topk: gallery images a query; ranking: that of all queries where it is known
    already; shown: rows of it, by default the WORST queries of the lowest AP and the BEST of the highest; umap: a map
    by UMAP, too.
    """
    metrics = analysis.metrics
    if ranking is None:
        ranking = rank_gallery(query, gallery, topk, metric=metrics.metric, rerank=rerank, device=device)
    ranking = replace(ranking, average_precision=analysis.average_precision)
    if shown is None:
        both = [*ranking.worst_rows(WORST).tolist(), *reversed(ranking.best_rows(BEST).tolist())]
        shown = list(dict.fromkeys(both))
    return TargetReport(
        name,
        query,
        gallery,
        analysis,
        ranking,
        tuple(shown),
        suspects(query, gallery, ranking, metrics.metric),
        embedding_maps(query, gallery, umap=umap),
    )
