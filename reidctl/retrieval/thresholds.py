"""Which distance means the same person: thresholds for a wanted false match rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reidctl.retrieval.bootstrap import Interval


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold: two images closer than it are taken for the same person.

    wanted_fpr was asked for, 0…1: at most this share of the pairs of different people may be closer than threshold,
    which is the largest distance of a pair that keeps to it. fpr is the share that is closer (below wanted_fpr only
    where pairs are tied), tpr the share of the pairs of the same person. The intervals are None without resampling.
    """

    wanted_fpr: float
    threshold: float
    fpr: float
    tpr: float
    threshold_interval: Interval | None = None
    tpr_interval: Interval | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {
            "wanted_fpr": self.wanted_fpr,
            "threshold": self.threshold,
            "threshold_interval": self.threshold_interval and self.threshold_interval.as_dict(),
            "fpr": self.fpr,
            "tpr": self.tpr,
            "tpr_interval": self.tpr_interval and self.tpr_interval.as_dict(),
        }
