"""Loss and mAP over the epochs as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reidctl.files import replacing


def draw_curves(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw the rows of metrics.jsonl as PNG: loss of every epoch, mAP of every tested one."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.5), layout="constrained")
    FigureCanvasAgg(figure)
    left = figure.add_subplot()
    left.plot([row["epoch"] for row in rows], [row["loss"] for row in rows], color="tab:gray", label="loss")
    left.set(xlabel="epoch", ylabel="loss")
    curves = list(left.get_lines())
    targets = dict.fromkeys(key for row in rows for key in row if key.endswith(".mAP"))
    if targets:
        right = left.twinx()
        right.set(ylabel="mAP", ylim=(0, 1))
        for key in targets:
            tested = [(row["epoch"], row[key]) for row in rows if key in row]
            curves += right.plot(*zip(*tested, strict=True), marker="o", label=key)
    left.legend(handles=curves, loc="center right")
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
