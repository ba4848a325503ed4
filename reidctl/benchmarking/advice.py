"""Which of the measured ways to deploy on this machine, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from reidctl.benchmarking.axes import STARTS
from reidctl.benchmarking.rows import BenchRow
from reidctl.processor import Processor

Goal = Literal["throughput", "latency"]
GOALS: tuple[Goal, ...] = ("throughput", "latency")

MOST_DROP = 0.005
"""mAP that a faster way may cost."""
ALIKE = 0.03
"""Two ways no farther apart than this, or than their spread, are equally fast: then the more exact one is taken."""
EXACTNESS = ("f32", "f16", "bf16", "int8")


class Way(NamedTuple):
    """How a network is computed; what it is fed, and how much of it at once, is left open."""

    engine: str
    device: str
    precision: str
    weights: str

    @classmethod
    def of(cls, row: BenchRow) -> Way:
        """That of a measured row."""
        assert row.measured
        return cls(row.what.engine, row.what.device, row.what.precision, row.measured.weights)

    @property
    def inexactness(self) -> int:
        """0 for f32 throughout; the coarser of arithmetic and weights decides."""
        return max(EXACTNESS.index(name) for name in (self.precision, self.weights))

    def __str__(self) -> str:
        kept = self.weights if self.weights in ("int8", self.precision) else f"{self.weights} weights"
        return f"{self.engine} {self.precision}" + ("" if kept == self.precision else f", {kept}")


@dataclass(frozen=True)
class Advice:
    """The row to deploy for a goal: the most images a second, or the least time for the smallest batch."""

    goal: Goal
    row: BenchRow
    way: Way
    reasons: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {"goal": self.goal, **self.row.what._asdict(), "weights": self.way.weights, "reasons": self.reasons}


def advise(rows: Sequence[BenchRow]) -> list[Advice]:
    """For every model and goal the fastest way that keeps its accuracy; nothing for a model without a whole row.

    A way is out whose mAP, where measured, is more than 0.005 below that of the model's most exact way. Of ways that
    are equally fast, to within their noise, the most exact one is taken.
    """
    found: list[Advice] = []
    for model in dict.fromkeys(row.what.model for row in rows):
        measured = [row for row in rows if row.what.model == model and row.measured and not row.error]
        if measured:
            alike = _comparable(measured)
            found += [_best(goal, alike) for goal in GOALS]
    return found


def _comparable(rows: list[BenchRow]) -> list[BenchRow]:
    """Those that start from the same: one that is ready, where there are such."""
    starts = [start for start in STARTS if any(row.what.start == start for row in rows)]
    return [row for row in rows if row.what.start == starts[0]]


def _best(goal: Goal, rows: list[BenchRow]) -> Advice:
    if goal == "latency":
        smallest = min(row.what.batch for row in rows)
        rows = [row for row in rows if row.what.batch == smallest]
    best: dict[Way, BenchRow] = {}
    for row in sorted(rows, key=lambda row: _speed(goal, row)):
        best[Way.of(row)] = row
    exact = min(best, key=lambda way: way.inexactness)
    kept = {way: row for way, row in best.items() if _drop(row, best[exact]) <= MOST_DROP}
    top = max(kept.values(), key=lambda row: _speed(goal, row))
    alike = [way for way, row in kept.items() if _speed(goal, row) >= _speed(goal, top) * (1 - _noise(row, top))]
    chosen = min(alike, key=lambda way: (way.inexactness, -_speed(goal, kept[way])))
    reasons = tuple(_reasons(goal, chosen, exact, best, kept))
    return Advice(goal, best[chosen], chosen, reasons)


def _reasons(
    goal: Goal, chosen: Way, exact: Way, best: dict[Way, BenchRow], kept: dict[Way, BenchRow]
) -> Iterator[str]:
    speed = _speed(goal, best[chosen])
    for way, row in sorted(best.items(), key=lambda pair: -_speed(goal, pair[1])):
        if way == chosen:
            continue
        ratio = f"{way} has {_speed(goal, row) / speed:.2f} times its speed"
        if way not in kept:
            yield f"{ratio} and loses {_drop(row, best[exact]):.3f} mAP, more than {MOST_DROP}"
        elif _speed(goal, row) >= speed:
            yield f"{ratio}, no more than noise, and is less exact"
        else:
            yield ratio
    if chosen.inexactness and best[chosen].accuracy is None:
        yield "what it costs in accuracy was not measured: give --data"


def _speed(goal: Goal, row: BenchRow) -> float:
    assert row.measured
    return row.measured.fps if goal == "throughput" else 1000 / row.measured.p50_ms


def _noise(*rows: BenchRow) -> float:
    return max(ALIKE, *(row.measured.spread for row in rows if row.measured))


def _drop(row: BenchRow, exact: BenchRow) -> float:
    return exact.accuracy.mAP - row.accuracy.mAP if row.accuracy and exact.accuracy else 0.0


def remarks(processor: Processor) -> list[str]:
    """What the processor lacks that decides between bf16, INT8 and f32; nothing where it tells no features."""
    if not processor.features:
        return []
    has = f"this CPU ({processor.name}: {', '.join(processor.features)})"
    found = []
    if not processor.has_bf16:
        found.append(f"{has} has no instructions for bf16: f32 is its fastest floating point; bf16 would be imitated")
    if not processor.has_int8:
        found.append(f"{has} has none made for INT8 (VNNI, AMX): INT8 gains less here than where there are")
    return found
