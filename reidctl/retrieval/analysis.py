"""Everything that is worth knowing of an evaluation, found in the passes over the distances that it takes anyway."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from reidctl.errors import ConfigError
from reidctl.retrieval.bootstrap import Interval, Resamples
from reidctl.retrieval.cameras import CameraFigures, CameraPairCounter, CameraPairs, camera_figures
from reidctl.retrieval.distance import Metric
from reidctl.retrieval.evaluation import APRule, EvaluationProtocol, QueryScores, RankCounter, Scoring
from reidctl.retrieval.inputs import EvaluationInput
from reidctl.retrieval.pairs import Grid, PairCounter, PairDistances
from reidctl.retrieval.single_shot import SingleShot
from reidctl.retrieval.thresholds import OperatingPoint, operating_points, require_rates
from reidctl.types import Metrics

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from reidctl.config import Rerank
    from reidctl.types import Embeddings, Float32, Int64

    Float64 = NDArray[np.float64]

# Ranks that the original toolkit computes, and that the papers draw.
CURVE_RANKS = 50


@dataclass(frozen=True)
class Analysis:
    """An evaluation in detail; Q queries, fractions of 1.

    intervals: of `mAP`, `mINP` and `rank1`, `rank5`, … (the names of `Metrics.as_dict`), empty without resampling.
    curve [K] is the CMC at ranks 1…K, K = 50 or the size of a smaller gallery. average_precision [Q] is nan, and
    first_ranks [Q] (the rank of the first match in the whole gallery) 0 for a query without a match.
    cameras: one for every camera with valid queries, ascending; empty, as camera_pairs is None, where not asked for.
    resamples: how many times other people were drawn for the intervals, from `seed`.
    """

    metrics: Metrics
    intervals: dict[str, Interval]
    curve: Float64
    average_precision: Float64
    first_ranks: Int64
    pairs: PairDistances
    operating_points: tuple[OperatingPoint, ...] = ()
    cameras: tuple[CameraFigures, ...] = ()
    camera_pairs: CameraPairs | None = None
    resamples: int = 0
    seed: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `--json`: those of `metrics`, and the rest beside them; what is of one query is left out."""
        return {
            **self.metrics.as_dict(),
            "curve": self.curve.tolist(),
            "intervals": {name: interval.as_dict() for name, interval in self.intervals.items()},
            "operating_points": [point.as_dict() for point in self.operating_points],
            "pairs": self.pairs.as_dict(),
            "cameras": [figures.as_dict() for figures in self.cameras],
            "camera_pairs": self.camera_pairs and self.camera_pairs.as_dict(),
            "resamples": self.resamples,
            "seed": self.seed,
        }


def analyse(
    query: Embeddings,
    gallery: Embeddings,
    *,
    metric: Metric = "cosine",
    ranks: Sequence[int] = (1, 5, 10, 20),
    ap_rule: APRule = "step",
    rerank: Rerank | None = None,
    protocol: EvaluationProtocol = "market1501",
    seed: int = 0,
    false_match_rates: Sequence[float] = (),
    bootstrap: int = 0,
    by_camera: bool = False,
    device: str = "cpu",
) -> Analysis:
    """`analyse_features` of embeddings that know their samples."""
    return analyse_features(
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
        false_match_rates=false_match_rates,
        bootstrap=bootstrap,
        by_camera=by_camera,
        device=device,
    )


def analyse_features(
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
    false_match_rates: Sequence[float] = (),
    bootstrap: int = 0,
    by_camera: bool = False,
    device: str = "cpu",
) -> Analysis:
    """What `evaluate_features` finds, and as much more as is asked for; the same arguments and errors.

    false_match_rates: shares 0…1 of the pairs of different people to find thresholds for. bootstrap: how many times
    to draw the valid queries' identities anew (0 for no intervals; 1000 is usual); thresholds are found again in
    every draw, among the drawn people's queries and the whole gallery. by_camera: figures of every camera and every
    pair of cameras. Thresholds take a second pass over the distances (re-ranked ones are computed twice). Memory
    beyond that of `evaluate_features`: numbers for each match, and 8 KiB for each query identity and rate.
    InputError also for a rate out of range or below one in the number of pairs of different people.
    """
    scoring = Scoring(tuple(ranks), ap_rule, protocol, seed)
    if bootstrap < 0:
        raise ConfigError(f"{bootstrap} resamples cannot be drawn", "0 for no intervals; 1000 is usual")
    inputs = EvaluationInput.checked(
        query_features, gallery_features, query_ids, gallery_ids, query_cams, gallery_cams, metric, rerank, device
    )
    require_rates(false_match_rates, inputs)
    return _analysis(inputs, scoring, false_match_rates, bootstrap, by_camera)


def _analysis(
    inputs: EvaluationInput, scoring: Scoring, rates: Sequence[float], bootstrap: int, by_camera: bool
) -> Analysis:
    ranked, counted = RankCounter(inputs.matches), PairCounter(inputs, Grid.covering(inputs))
    by_pair = CameraPairCounter(inputs) if by_camera else None
    shots = SingleShot(inputs, scoring.seed) if scoring.protocol != "market1501" else None
    inputs.feed(*(counter for counter in (ranked, counted, by_pair, shots) if counter is not None))
    valid = inputs.valid
    whole = QueryScores.of(ranked.found(), scoring.ap_rule)
    scores = whole.in_draws(shots.ranks, scoring) if shots else whole
    precision, first_ranks = np.full(len(valid), np.nan), np.zeros(len(valid), np.int64)
    precision[valid], first_ranks[valid] = scores.average_precision, whole.first_ranks[:, 0]
    resamples = Resamples(inputs.query_ids[valid], bootstrap, scoring.seed) if bootstrap else None
    return Analysis(
        metrics=scores.metrics(inputs, scoring),
        intervals=_intervals(scores, scoring.ranks, resamples) if resamples else {},
        curve=np.array([scores.within(k).mean() for k in range(1, min(CURVE_RANKS, len(inputs.gallery_ids)) + 1)]),
        average_precision=precision,
        first_ranks=first_ranks,
        pairs=counted.found(),
        operating_points=operating_points(inputs, counted, rates, resamples) if rates else (),
        cameras=camera_figures(scores, inputs.query_cams[valid]) if by_camera else (),
        camera_pairs=by_pair.found(scoring.ap_rule) if by_pair else None,
        resamples=bootstrap,
        seed=scoring.seed,
    )


def _intervals(scores: QueryScores, ranks: Sequence[int], resamples: Resamples) -> dict[str, Interval]:
    values = {f"rank{k}": scores.within(k) for k in ranks}
    values |= {"mAP": scores.average_precision, "mINP": scores.inverse_negative_penalty}
    return {name: resamples.mean_interval(each) for name, each in values.items()}
