"""Which distance means the same person: thresholds for a wanted false match rate.

Exact, in memory that the number of pairs does not set: a first pass counts pairs by bins (`reidctl.retrieval.pairs`),
which tells the bin that a threshold lies in; a second pass counts the distances inside that bin one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from reidctl.errors import InputError
from reidctl.retrieval.bootstrap import Interval, Resamples, percentiles
from reidctl.retrieval.pairs import BINS, Grid, PairCounter, PairDistances

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from numpy.typing import NDArray

    from reidctl.retrieval.inputs import EvaluationInput
    from reidctl.retrieval.ranks import Matches
    from reidctl.types import Float32, Int64

    Float64 = NDArray[np.float64]

# Steps of the table from which intervals are read; it reaches up to so many times the wanted rate.
STEPS = 1024
REACH = 32


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold: two images closer than it are taken for the same person.

    wanted_fpr was asked for, 0…1: at most this share of the pairs of different people may be closer than threshold,
    which is the largest distance of such a pair that keeps to it. fpr is the share that is closer, tpr the share
    of the pairs of the same person that is. The intervals are None without resampling.
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


def require_rates(rates: Sequence[float], inputs: EvaluationInput) -> None:
    """InputError for a false match rate that is none, or that so few pairs of different people cannot show."""
    require_shares(rates)
    pairs = int(different_pairs(inputs.matches).sum())
    if rates and not pairs:
        raise InputError(
            "no pair of different people to measure a false match rate on", "the gallery shows one person only"
        )
    for rate in rates:
        if not allowed(rate, pairs):
            raise InputError(
                f"a false match rate of {rate:g} cannot be measured on {pairs:,} pairs of different people",
                f"the smallest possible is {1 / pairs:.2g}: ask for more, or test on more images",
            )


def different_pairs(matches: Matches) -> Int64:
    """[V] how many gallery images show someone else than each valid query."""
    queries = len(matches.counts)
    rows, _, _ = matches.same_identity(0, queries)
    counts: Int64 = (len(matches.kept) - np.bincount(rows, minlength=queries))[matches.counts > 0]
    return counts


def require_shares(rates: Sequence[float]) -> None:
    """InputError for a false match rate outside 0…1."""
    for rate in rates:
        if not 0 < rate < 1:
            raise InputError(f"{rate:g} is no false match rate", "it lies between 0 and 1, 0.001 for one in a thousand")


def allowed(rate: float, pairs: int) -> int:
    """How many of so many pairs are at most this share, with the rate taken as it is written: 0.29 of 100 is 29."""
    return int(Fraction(str(rate)) * pairs)


def operating_points(
    inputs: EvaluationInput, counted: PairCounter, rates: Sequence[float], resamples: Resamples | None
) -> tuple[OperatingPoint, ...]:
    """One for each rate, in a second pass over the distances that `counted` has seen."""
    search = ThresholdSearch(inputs, counted.grid, counted.found(), rates, resamples)
    inputs.feed(search)
    return search.points(counted.same)


class ThresholdSearch:
    """The operating points of some false match rates, in a pass of its own after that of a `PairCounter`."""

    def __init__(
        self,
        inputs: EvaluationInput,
        grid: Grid,
        pairs: PairDistances,
        rates: Sequence[float],
        resamples: Resamples | None,
    ) -> None:
        self._matches, self._valid = inputs.matches, inputs.valid
        self._selections = [_Selection(grid, pairs, rate) for rate in rates]
        per_query = different_pairs(inputs.matches)
        self._tables = [_Table(grid, pairs, per_query, rate, resamples) for rate in rates] if resamples else []

    def add(self, block: Float32, start: int, pool: Executor) -> None:
        """Count one block; what is no pair of different people becomes inf in it."""
        here = slice(start, start + len(block))
        rows, columns, _ = self._matches.same_identity(start, start + len(block))
        block[rows, columns] = np.inf
        block[~self._valid[here]] = np.inf
        first = int(self._valid[:start].sum())
        owners = first + np.cumsum(self._valid[here]) - 1
        list(pool.map(lambda selection: selection.add(block), self._selections))
        list(pool.map(lambda table: table.add(block, owners), self._tables))

    def points(self, same: Float32) -> tuple[OperatingPoint, ...]:
        """One for each rate; same [M] are the distances of the matches, query by query."""
        found = []
        owners = np.repeat(np.arange(int(self._valid.sum())), self._matches.counts[self._valid])
        for place, selection in enumerate(self._selections):
            threshold, fpr = selection.found()
            intervals = self._tables[place].intervals(same, owners) if self._tables else (None, None)
            tpr = float((same < threshold).mean())
            found.append(OperatingPoint(selection.rate, threshold, fpr, tpr, *intervals))
        return tuple(found)


class _Selection:
    """The exact distance at one place of the order of all pairs of different people."""

    def __init__(self, grid: Grid, pairs: PairDistances, rate: float) -> None:
        totals = np.cumsum(pairs.different)
        self.rate, self._pairs = rate, int(totals[-1])
        self._place = allowed(rate, self._pairs)
        bin_ = int(np.searchsorted(totals, self._place, "right"))
        self._before = int(totals[bin_] - pairs.different[bin_])
        self._low = -np.inf if bin_ == 0 else grid.edges[bin_]
        self._high = np.inf if bin_ == BINS - 1 else grid.edges[bin_ + 1]
        # One entry for each distance that occurs, of which a bin holds only as many as 32 bits can tell apart.
        self._values = np.empty(0, np.float32)
        self._counts = np.empty(0, np.int64)

    def add(self, block: Float32) -> None:
        inside = block[(block >= np.float32(self._low)) & (block < np.float32(self._high))]
        values, counts = np.unique(inside, return_counts=True)
        self._values, places = np.unique(np.concatenate([self._values, values]), return_inverse=True)
        joined = np.zeros(len(self._values), np.int64)
        np.add.at(joined, places, np.concatenate([self._counts, counts]))
        self._counts = joined

    def found(self) -> tuple[float, float]:
        """The threshold, and the share of the pairs that is closer."""
        totals = self._before + np.cumsum(self._counts)
        place = int(np.searchsorted(totals, self._place, "right"))
        return float(self._values[place]), float((totals[place] - self._counts[place]) / self._pairs)


class _Table:
    """How many pairs of different people each query identity has below each of some distances.

    With it a threshold is found again for every draw of identities, to one step of 1024 between the smallest distance
    and where the false match rate is 32 times the wanted one; intervals are rounded outward to such steps.
    """

    def __init__(self, grid: Grid, pairs: PairDistances, per_query: Int64, rate: float, resamples: Resamples) -> None:
        held = np.flatnonzero(pairs.different)
        totals = np.cumsum(pairs.different)
        self._grid, self._rate, self._resamples = grid, rate, resamples
        self._first, end = int(held[0]), int(held[-1]) + 1
        reached = int(np.searchsorted(totals, min(REACH * rate, 1) * totals[-1])) + 1
        self._width = -(-(reached - self._first) // STEPS)
        starts = self._first + self._width * np.arange(STEPS + 1)
        self._top = np.float32(grid.edges[starts[-1]] if starts[-1] < BINS else np.inf)
        # The last step is everything beyond the table.
        self._edges = grid.edges[np.append(np.minimum(starts, end), end)]
        self._pairs = np.bincount(resamples.groups, per_query).astype(np.int64)
        self._counts = np.zeros((len(self._pairs), STEPS + 2), np.int64)

    def add(self, block: Float32, owners: Int64) -> None:
        rows, columns = np.nonzero(block < self._top)
        self._counts += self._counted(owners[rows], block[rows, columns])

    def _counted(self, owners: Int64, distances: Float32) -> Int64:
        """[I, STEPS + 2]: before the first step, in each of them, beyond."""
        steps = np.clip((self._grid.bins(distances) - self._first) // self._width, -1, STEPS)
        cells = self._resamples.groups[owners] * self._counts.shape[1] + steps + 1
        return np.bincount(cells, minlength=self._counts.size).reshape(self._counts.shape)

    def intervals(self, same: Float32, owners: Int64) -> tuple[Interval, Interval]:
        """Of the threshold, and of the true match rate that it has in the same draw."""
        # Whole numbers below 2^53, so that no order of adding them changes a sum.
        weights = self._resamples.weights.astype(np.float64)
        below = np.cumsum(weights @ self._counts, axis=1)
        places = np.array([allowed(self._rate, int(total)) for total in weights @ self._pairs])
        steps = (below[:, 1:-1] <= places[:, None]).sum(axis=1)
        matches = np.cumsum(weights @ self._counted(owners, same), axis=1)
        rates = matches / matches[:, -1:]
        draws = np.arange(len(steps))
        threshold = percentiles(self._edges[steps], self._edges[steps + 1])
        return threshold, percentiles(rates[draws, steps], rates[draws, steps + 1])
