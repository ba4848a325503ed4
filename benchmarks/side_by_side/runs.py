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
    """A row for each run: its best test, its minutes, and the keys whose values are not those of the first.

    Where a list has another part in a place, its parts are named in place of its keys.
    """
    entries = [read_entry(folder) for folder in folders]
    keys = {key: values for key, values in differences(entries).items() if key == "train.epochs" or not may_change(key)}
    figures = [Column(key, key, ".1%") for key in entries[0].metrics if key.endswith(FIGURES)]
    ends = [Column("minutes", "minutes", ".0f"), Column("changed", "changed", width=60)]
    table = report.table(title, Column("run", "run", width=24), *figures, *ends)
    for place, entry in enumerate(entries):
        others = {key: values[place] for key, values in keys.items() if values[place] != values[0]}
        whole = [key.rsplit(".", 2)[0] for key in others if key.endswith(".name") and entries[0].config.get(key)]
        told = [
            f"{by_name(key, entry.config)} {short(value)}" for key, value in others.items() if not below(key, whole)
        ]
        told += [f"{each} {' '.join(names(entry.config, each))}" for each in dict.fromkeys(whole)]
        facts = {"run": entry.path.name, "minutes": 60 * entry.facts["hours"], "changed": ", ".join(told)}
        table.add({**facts, **{figure.key: entry.metrics.get(figure.key) for figure in figures}})


def below(key: str, whole: list[str]) -> bool:
    return any(key.startswith(f"{each}.") for each in whole)


def names(config: dict[str, Any], parts: str) -> list[str]:
    """Those of a list of parts, in order."""
    numbered = [key.split(".") for key in config if key.startswith(f"{parts}.") and key.endswith(".name")]
    return [config[".".join(steps)] for steps in sorted(numbered, key=lambda steps: int(steps[-2]))]


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
