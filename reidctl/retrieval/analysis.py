"""Everything that is worth knowing of an evaluation, found in the passes over the distances that it takes anyway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reidctl.retrieval.bootstrap import Interval
from reidctl.retrieval.cameras import CameraFigures, CameraPairs
from reidctl.retrieval.pairs import PairDistances
from reidctl.retrieval.thresholds import OperatingPoint
from reidctl.types import Metrics

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from reidctl.types import Int64

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
