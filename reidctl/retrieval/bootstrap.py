"""Confidence intervals: what would have been found had other people been tested.

B. Efron, R. Tibshirani, An Introduction to the Bootstrap, 1993, chapters 8 and 13: the units that are drawn are
people, since the queries of one person succeed or fail together, and the interval is that of percentiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reidctl.types import Int64

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


class Resamples:
    """`count` draws of as many people as there are, with replacement, from a seed (0 and up).

    identities [V] are those of the valid queries: whoever is drawn brings all of the own queries. groups [V] numbers
    the I people in ascending order; weights [count, I] says how often a draw has each of them.
    """

    def __init__(self, identities: Int64, count: int, seed: int) -> None:
        people, self.groups = np.unique(identities, return_inverse=True)
        drawn = np.random.default_rng(seed).integers(0, len(people), (count, len(people)))
        cells = (np.arange(count)[:, None] * len(people) + drawn).reshape(-1)
        self.weights = np.bincount(cells, minlength=count * len(people)).reshape(count, -1)

    def mean_interval(self, values: Float64) -> Interval:
        """Interval of the mean of values [V] over the queries."""
        sums, sizes = np.bincount(self.groups, values), np.bincount(self.groups)
        means = (self.weights * sums).sum(axis=1) / (self.weights * sizes).sum(axis=1)
        return percentiles(means, means)


def percentiles(lows: Float64, highs: Float64) -> Interval:
    """The middle 95 % of the draws' figures, each known to lie between lows[i] and highs[i]; ends rounded outward."""
    tail = (1 - LEVEL) / 2
    low = np.quantile(lows, tail, method="lower")
    high = np.quantile(highs, 1 - tail, method="higher")
    return Interval(float(low), float(high))
