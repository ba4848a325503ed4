"""A table of runs of `reidctl train`: what came of each, and what its configuration changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reidctl.report.comparison import differences, read_entry
from reidctl.training.state import may_change
from side_by_side.results import Column, Report

FIGURES = ("rank1", "mAP")
SHORT = 60
"""Letters of a value of a configuration that a table has room for."""


def add_runs(report: Report, title: str, folders: list[Path]) -> None:
    """A row for each run: its best test, its minutes, and the keys whose values are not those of the first."""
    entries = [read_entry(folder) for folder in folders]
    keys = {key: values for key, values in differences(entries).items() if key == "train.epochs" or not may_change(key)}
    figures = [Column(key, key, ".1%") for key in entries[0].metrics if key.endswith(FIGURES)]
    ends = [Column("minutes", "minutes", ".0f"), Column("changed", "changed", width=60)]
    table = report.table(title, Column("run", "run", width=24), *figures, *ends)
    for place, entry in enumerate(entries):
        others = {key: values[place] for key, values in keys.items() if values[place] != values[0]}
        changed = ", ".join(f"{by_name(key, entry.config)} {short(value)}" for key, value in others.items())
        told = {"run": entry.path.name, "minutes": 60 * entry.facts["hours"], "changed": changed}
        table.add({**told, **{figure.key: entry.metrics.get(figure.key) for figure in figures}})


def by_name(key: str, config: dict[str, Any]) -> str:
    """`data.transforms.4.p` as `random_erase.p`: an item of a list of parts by the part's name."""
    steps = key.split(".")
    number = next((place for place, step in enumerate(steps) if step.isdigit()), -1)
    part = config.get(".".join([*steps[: number + 1], "name"]))
    return ".".join([part, *steps[number + 1 :]]) if number > 0 and part else key


def short(value: Any) -> str:
    """A value of a configuration; of a path its last part."""
    text = Path(value).name if isinstance(value, str) and "/" in value else str(value)
    return text if len(text) <= SHORT else text[: SHORT - 1] + "…"
