"""Accuracy against speed as a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reidctl.benchmarking.advice import Way
from reidctl.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from reidctl.benchmarking.rows import BenchRow

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


def draw_tradeoff(rows: Sequence[BenchRow], path: Path) -> None:
    """Draw mAP against latency and against throughput as PNG, of the rows that have both."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = figure_of(rows)
    FigureCanvasAgg(figure)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")


def figure_of(rows: Sequence[BenchRow]) -> Figure:
    """A point for each model (its colour) and way of computing it (its mark).

    Left: median latency of the smallest batch, right: most images a second; both at their best over the other axes.
    """
    from matplotlib.figure import Figure

    known = [row for row in rows if row.measured and row.accuracy]
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    smallest = min((row.what.batch for row in known), default=1)
    left.set(xlabel=f"median latency of {smallest} image{'s'[: smallest > 1]}, ms", ylabel=f"mAP on {_data(known)}")
    right.set(xlabel="images a second")
    latency, rate = _best(known, _p50, smallest), _best(known, _seconds, None)
    models = list(dict.fromkeys(row.what.model for row in known))
    ways = list(dict.fromkeys(way for _, way in rate))
    for (model, way), row in rate.items():
        look = {"color": f"C{models.index(model) % 10}", "marker": MARKERS[ways.index(way) % len(MARKERS)]}
        assert row.measured
        assert row.accuracy
        right.plot(row.measured.fps, row.accuracy.mAP, linestyle="", label=f"{Path(model).name}: {way}", **look)
        if (model, way) in latency:
            left.plot(_p50(latency[model, way]), row.accuracy.mAP, linestyle="", **look)
    if rate:
        figure.legend(loc="outside lower center", ncols=2, fontsize="small")
    return figure


def _data(rows: Sequence[BenchRow]) -> str:
    return next((row.accuracy.data for row in rows if row.accuracy), "no data")


def _best(
    rows: Sequence[BenchRow], cost: Callable[[BenchRow], float], batch: int | None
) -> dict[tuple[str, Way], BenchRow]:
    """The cheapest row of every model and way, of that batch where one is given."""
    found: dict[tuple[str, Way], BenchRow] = {}
    for row in sorted(rows, key=cost, reverse=True):
        if batch in (None, row.what.batch):
            found[row.what.model, Way.of(row)] = row
    return dict(reversed(found.items()))


def _p50(row: BenchRow) -> float:
    assert row.measured
    return row.measured.p50_ms


def _seconds(row: BenchRow) -> float:
    assert row.measured
    return 1 / row.measured.fps
