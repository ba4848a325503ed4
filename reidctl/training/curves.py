"""Loss and mAP over the epochs as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reidctl.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_curves(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw the rows of metrics.jsonl as PNG: loss of every epoch, mAP of every tested one."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = figure_of(rows)
    FigureCanvasAgg(figure)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")


def figure_of(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """The curves: loss on the left axis, mAP of each data set on the right one."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(7, 3.5), layout="constrained")
    left = figure.add_subplot()
    # Points, because the line of a single epoch has no length.
    left.plot([row["epoch"] for row in rows], [row["loss"] for row in rows], ".-", color="tab:gray", label="loss")
    left.set(xlabel="epoch", ylabel="loss")
    left.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    curves = list(left.get_lines())
    targets = dict.fromkeys(key for row in rows for key in row if key.endswith(".mAP"))
    if targets:
        right = left.twinx()
        right.set(ylabel="mAP", ylim=(0, 1))
        for key in targets:
            tested = [(row["epoch"], row[key]) for row in rows if key in row]
            curves += right.plot(*zip(*tested, strict=True), marker="o", label=key)
    left.legend(handles=curves, loc="center right")
    return figure
