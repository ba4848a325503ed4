"""CMC, mAP and mINP of embeddings, exact and streaming.

Protocols; what is ranked for a query and how ties count is said in `reidctl.retrieval.ranks`.
  market1501   every image of the gallery. L. Zheng et al., ICCV 2015, section 5.
  cuhk03       CMC: the mean over ten random galleries of one image an identity; AP and INP as in market1501.
               W. Li et al., CVPR 2014, section 6, with the AP of later papers.
  single-shot  CMC, AP and INP in those galleries, where a query has one match: INP is 1 / its rank.
mINP: M. Ye et al., Deep Learning for Person Re-identification: A Survey and Outlook, TPAMI 2021, section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from reidctl.errors import ConfigError, require_known
from reidctl.retrieval.distance import Metric
from reidctl.retrieval.inputs import EvaluationInput
from reidctl.retrieval.ranks import Matches, MatchRanks, match_ranks
from reidctl.retrieval.single_shot import SingleShot
from reidctl.types import Metrics

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from numpy.typing import ArrayLike, NDArray

    from reidctl.config import Rerank
    from reidctl.types import Embeddings, Float32, Int64

    Bool = NDArray[np.bool_]
    Float64 = NDArray[np.float64]

APRule = Literal["step", "trapezoid"]
EvaluationProtocol = Literal["market1501", "cuhk03", "single-shot"]


def evaluate(
    query: Embeddings,
    gallery: Embeddings,
    *,
    metric: Metric = "cosine",
    ranks: Sequence[int] = (1, 5, 10, 20),
    ap_rule: APRule = "step",
    rerank: Rerank | None = None,
    protocol: EvaluationProtocol = "market1501",
    seed: int = 0,
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
        protocol=protocol,
        seed=seed,
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
    protocol: EvaluationProtocol = "market1501",
    seed: int = 0,
    device: str = "cpu",
) -> Metrics:
    """Rank-k, mAP and mINP of features [Q, D] and [G, D] (arrays or memory maps), identities and cameras [Q], [G].

    Gallery images of identity -1 (junk) are ignored; every other identity without a query, such as the
    distractors of Market-1501, is simply wrong. A query without a match in another camera is invalid: left out
    of the means and counted. A rank beyond the gallery is that of the whole gallery: 1. The seed (0 and up) is that of
    the random galleries of protocols cuhk03 and single-shot. Memory: the gallery once more as float32 (where it has
    junk, its other rows as they are, too), and the distances of 32 to 256 queries at a time, whatever their number:
    256 MiB at most, above two million gallery images 128 bytes for each. Re-ranking holds both sides twice more as
    float32.
    device: `cpu`, `cuda`, `cuda:N` or `auto`; on a GPU distances are computed, counted and re-ranked there, and other
    protocols than market1501 bring them back.
    InputError for an empty side, when shapes disagree, a feature is not finite, or a zero vector (cosine), or no query
    at all has a match; ConfigError for a metric, protocol, rule, rank or device that there is not.
    """
    scoring = Scoring(tuple(ranks), ap_rule, protocol, seed)
    inputs = EvaluationInput.checked(
        query_features, gallery_features, query_ids, gallery_ids, query_cams, gallery_cams, metric, rerank, device
    )
    if protocol == "market1501":
        return QueryScores.of(match_ranks(inputs.matches, inputs.blocks()), ap_rule).metrics(inputs, scoring)
    counter, shots = RankCounter(inputs.matches), SingleShot(inputs, seed)
    inputs.feed(counter, shots)
    return QueryScores.of(counter.found(), ap_rule).in_draws(shots.ranks, scoring).metrics(inputs, scoring)


@dataclass(frozen=True)
class Scoring:
    """How ranks become figures; ConfigError for a rank below 1, a seed below 0, and for an unknown rule or protocol."""

    ranks: tuple[int, ...]
    ap_rule: APRule
    protocol: EvaluationProtocol
    seed: int

    def __post_init__(self) -> None:
        require_known("protocol", self.protocol, get_args(EvaluationProtocol))
        require_known("AP rule", self.ap_rule, get_args(APRule))
        if not self.ranks or min(self.ranks) < 1:
            raise ConfigError(f"ranks {list(self.ranks)} are not whole numbers from 1 on", "1, 5, 10 and 20 are usual")
        if self.seed < 0:
            raise ConfigError(f"seed {self.seed} is below 0")


class RankCounter:
    """Ranks of all matches, as `match_ranks`, in a pass that others share."""

    def __init__(self, matches: Matches) -> None:
        self._matches = matches
        self._parts: list[MatchRanks] = []

    def add(self, block: Float32, start: int, pool: Executor) -> None:
        """Count one block."""
        self._parts.append(self._matches.ranks(block, start, pool))

    def found(self) -> MatchRanks:
        """Those of all queries."""
        return MatchRanks.joined(self._parts)


@dataclass(frozen=True)
class QueryScores:
    """What each of the V valid queries reached.

    valid [Q] tells which queries these are; first_ranks [V, R] is the rank of the first match in each of R galleries;
    average_precision [V] and inverse_negative_penalty [V] are fractions of 1.
    """

    valid: Bool
    first_ranks: Int64
    average_precision: Float64
    inverse_negative_penalty: Float64

    @classmethod
    def of(cls, found: MatchRanks, rule: APRule) -> QueryScores:
        """In the whole gallery."""
        valid = found.counts > 0
        first = found.ranks[found.starts[valid]]
        last = found.ranks[(found.starts + found.counts - 1)[valid]]
        return cls(valid, first[:, None], average_precision(found, rule)[valid], found.counts[valid] / last)

    def in_draws(self, ranks: Int64, scoring: Scoring) -> QueryScores:
        """In galleries where the only match has these ranks [V, R]; for cuhk03, AP and INP stay those of all images."""
        if scoring.protocol == "cuhk03":
            return QueryScores(self.valid, ranks, self.average_precision, self.inverse_negative_penalty)
        single = MatchRanks(ranks.reshape(-1), np.ones(ranks.size, np.int64))
        precision = average_precision(single, scoring.ap_rule).reshape(ranks.shape).mean(axis=1)
        return QueryScores(self.valid, ranks, precision, (1 / ranks).mean(axis=1))

    def within(self, rank: int) -> Float64:
        """[V] share of the galleries that have a match among their first `rank` images."""
        shares: Float64 = (self.first_ranks <= rank).mean(axis=1)
        return shares

    def metrics(self, inputs: EvaluationInput, scoring: Scoring) -> Metrics:
        """The means over the valid queries."""
        return self.means(scoring, len(inputs.gallery_ids), inputs.metric, reranked=inputs.rerank is not None)

    def means(self, scoring: Scoring, gallery: int, metric: Metric, *, reranked: bool = False) -> Metrics:
        """The same of a gallery of so many images."""
        return Metrics(
            cmc={k: float(self.within(k).mean()) for k in scoring.ranks},
            mAP=float(self.average_precision.mean()),
            mINP=float(self.inverse_negative_penalty.mean()),
            valid_queries=int(self.valid.sum()),
            invalid_queries=int((~self.valid).sum()),
            gallery=gallery,
            ap_rule=scoring.ap_rule,
            metric=metric,
            reranked=reranked,
            protocol=scoring.protocol,
            seed=None if scoring.protocol == "market1501" else scoring.seed,
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
