"""What was measured of one combination, over all its repeats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from statistics import median
from typing import Any

import numpy as np

from reidctl.benchmarking.axes import Combination
from reidctl.benchmarking.worker import Round

NOISY = 0.1
"""A spread from which on a row's figures are not to be compared with others by their last digit but one."""


@dataclass(frozen=True)
class Measured:
    """What was measured.

    fps: images a second, the median of the repeats; spread: between the fastest and the slowest repeat, in units of
    it; p50_ms, p95_ms, p99_ms: percentiles of all batches' times from beginning to embeddings; cpu_ms: processor time
    of all cores an image, which other processes hardly change, the median; load_s: from a started Python to the first
    embeddings, the median; memory_mib: most that a process ever held; requests: how many batches were under way at
    once, streams: how many of them were computed side by side; weights: precision of the file's.
    """

    weights: str
    requests: int
    streams: int
    fps: float
    spread: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_ms: float
    load_s: float
    memory_mib: float | None


@dataclass(frozen=True)
class Accuracy:
    """What a network reaches on a data set, by the Market-1501 protocol."""

    data: str
    mAP: float
    rank1: float


@dataclass(frozen=True)
class BenchRow:
    """One combination, what was measured of it, and what it reaches where data was given.

    error: why there is none of the first, or, where there is, none of the second; None for a row that is whole.
    """

    what: Combination
    measured: Measured | None = None
    accuracy: Accuracy | None = None
    error: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values in one level, for `--json` and CSV; every row has the same keys."""
        measured = _plain(Measured, self.measured)
        accuracy = _plain(Accuracy, self.accuracy)
        weights = measured.pop("weights") or self.what.weights
        streams = measured.pop("streams") or self.what.streams
        return {
            **self.what._asdict(),
            "weights": weights,
            "streams": streams,
            **measured,
            **accuracy,
            "error": self.error,
        }

    @property
    def noisy(self) -> bool:
        """Whether its repeats are too far apart."""
        return self.measured is not None and self.measured.spread > NOISY


def _plain(kind: type, value: object) -> dict[str, Any]:
    return {field.name: getattr(value, field.name, None) for field in fields(kind)}


def summary(rounds: Sequence[Round]) -> Measured:
    """The repeats of one row as one."""
    rates = [one.rate for one in rounds]
    latencies = np.concatenate([one.latencies for one in rounds]) * 1000
    p50, p95, p99 = np.percentile(latencies, (50, 95, 99))
    memory = [one.memory_mib for one in rounds if one.memory_mib is not None]
    return Measured(
        weights=rounds[0].weights,
        requests=rounds[0].requests,
        streams=rounds[0].streams,
        fps=median(rates),
        spread=(max(rates) - min(rates)) / median(rates),
        p50_ms=float(p50),
        p95_ms=float(p95),
        p99_ms=float(p99),
        cpu_ms=median(one.cpu_s for one in rounds) * 1000,
        load_s=median(one.load_s for one in rounds),
        memory_mib=max(memory, default=None),
    )
