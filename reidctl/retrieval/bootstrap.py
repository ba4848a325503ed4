"""Confidence intervals: what would have been found had other people been tested.

B. Efron, R. Tibshirani, An Introduction to the Bootstrap, 1993, chapters 8 and 13: the units that are drawn are
people, since the queries of one person succeed or fail together, and the interval is that of percentiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Float64 = NDArray[np.float64]

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """Where a figure lies with probability `level`, were other people tested."""

    low: float
    high: float
    level: float = LEVEL

    def as_dict(self) -> dict[str, float]:
        """Plain values for `--json`."""
        return {"low": self.low, "high": self.high, "level": self.level}
