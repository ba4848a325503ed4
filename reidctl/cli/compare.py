"""`reidctl compare`: runs and evaluations side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reidctl.cli.options import Json
from reidctl.cli.output import output
from reidctl.errors import ConfigError

if TYPE_CHECKING:
    from reidctl.report.comparison import Entry


def complete_results(incomplete: str) -> list[str]:
    """Folders, and JSON files."""
    folder, _, _ = incomplete.rpartition("/")
    found = [f"{path}/" if path.is_dir() else str(path) for path in sorted(Path(folder or ".").glob("*"))]
    return [text for text in found if text.startswith(incomplete) and text.endswith(("/", ".json"))]


def compare(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN RUN…",
            help="Run folders, files of `eval --json`, or folders of `eval --report`.",
            autocompletion=complete_results,
            show_default=False,
        ),
    ],
    json: Json = False,
) -> None:
    """Set runs and evaluations side by side: figures, cost, and the keys of their configurations that differ."""
    from reidctl.report.comparison import differences, read_entry

    if len(paths) < 2:
        raise ConfigError("one result compares with nothing", "name two or more")
    entries = [read_entry(path) for path in paths]
    changed = differences(entries)
    if json:
        results = [entry.as_dict() for entry in entries]
        output.json("reidctl.compare/1", {"results": results, "differences": changed})
        return
    names = _names(entries)
    _table(["", *names], _facts(entries))
    _table(["metric", *names], _metrics(entries))
    if changed:
        rows = [[key, *(_word(value) for value in values)] for key, values in changed.items()]
        _table(["configuration", *names], rows)
    elif all(entry.config for entry in entries):
        output.text("\nTheir configurations are the same.")


def _table(columns: list[str], rows: list[list[str]]) -> None:
    if rows:
        output.table(columns, rows)
        output.text("")


def _names(entries: list[Entry]) -> list[str]:
    """The last parts of the paths, whole paths where these are not enough to tell them apart."""
    short = [entry.path.name for entry in entries]
    return short if len(set(short)) == len(short) else [str(entry.path) for entry in entries]


def _facts(entries: list[Entry]) -> list[list[str]]:
    facts = list(dict.fromkeys(name for entry in entries for name in entry.facts))
    return [[name, *(_word(entry.facts.get(name)) for entry in entries)] for name in facts]


def _metrics(entries: list[Entry]) -> list[list[str]]:
    """One row a figure; the best of each is marked with a star."""
    names = list(dict.fromkeys(name for entry in entries for name in entry.metrics))
    rows = []
    for name in names:
        values = [entry.metrics.get(name) for entry in entries]
        best = max(value for value in values if value is not None)
        unequal = len({value for value in values if value is not None}) > 1
        cells = ["" if value is None else f"{value:.2%}{' *' if unequal and value == best else ''}" for value in values]
        rows.append([name, *cells])
    return rows


def _word(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "–"}[value]
    return f"{value:.6g}" if isinstance(value, float) else str(value)
