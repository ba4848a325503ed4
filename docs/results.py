"""The page of results, made of what the scripts of benchmarks/ wrote: benchmarks/results/MACHINE/NAME.json.

about.md beside the machines has what is said of each script: its name, a title and a text under each heading.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "benchmarks" / "results"
SCHEMA = "reidctl.benchmark/1"


def results(folder: Path = FOLDER) -> str:
    """The page: a chapter a machine, in it a section a script, in the order of about.md."""
    introduction, *sections = (folder / "about.md").read_text(encoding="utf-8").split("\n## ")
    lines = [introduction]
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(place.glob("*.json"))]
        lines += _chapter(place.name, found, sections)
    return "\n".join(lines)


def _chapter(name: str, found: list[dict[str, Any]], sections: list[str]) -> list[str]:
    lines = [f"## {name}", "", *_machines(found)]
    for section in sections:
        heading, _, text = section.partition("\n")
        script, _, title = heading.partition(": ")
        calls = [call for call in found if (call["schema"], call["name"]) == (SCHEMA, script)]
        if calls:
            lines += [f"### {title}", "", text.strip(), ""]
        for call in calls:
            lines += _call(call)
    return lines


def _machines(found: list[dict[str, Any]]) -> list[str]:
    """Each machine once, with the packages of all calls there."""
    calls: dict[str, list[dict[str, Any]]] = {}
    for call in found:
        calls.setdefault(_machine(call["machine"]), []).append(call)
    return [f"{machine}, {_packages(here)}.\n" for machine, here in calls.items()]


def _machine(machine: dict[str, Any]) -> str:
    instructions = ", ".join(machine["instructions"]) or "none of those that matter"
    gpu = f" {machine['gpu']}." if machine["gpu"] else ""
    return (
        f"{machine['processor']}, {machine['cores']} cores ({instructions}), {machine['memory_gib']:.0f} GiB.{gpu} "
        f"{machine['system']}, Python {machine['python']}"
    )


def _packages(calls: list[dict[str, Any]]) -> str:
    """Those of all calls, and which scripts found a package or version that others did not."""
    scripts: dict[str, list[str]] = {}
    for call in calls:
        for package, version in call["machine"]["packages"].items():
            scripts.setdefault(f"{package} {version}", []).append(call["name"])
    return ", ".join(
        said if len(names) == len(calls) else f"{said} ({', '.join(f'{name}.py' for name in dict.fromkeys(names))})"
        for said, names in scripts.items()
    )


def _call(call: dict[str, Any]) -> list[str]:
    notes = "".join(f" {note.rstrip('.')}." for note in call["notes"])
    lines = [f"`{call['command']}`, {call['date']}.{notes}", ""]
    for table in call["tables"]:
        lines += ([f"**{table['title']}**", ""] if table["title"] else []) + _table(table)
    return lines


def _table(table: dict[str, Any]) -> list[str]:
    rows = table["rows"]
    columns = [column for column in table["columns"] if any(row.get(column["key"]) is not None for row in rows)]
    head = " | ".join(column["title"] for column in columns)
    marks = "|".join("---:" if column["form"] else "---" for column in columns)
    body = [" | ".join(_cell(row.get(column["key"]), column["form"]) for column in columns) for row in rows]
    return [f"| {head} |", f"|{marks}|", *(f"| {row} |" for row in body), ""]


def _cell(value: Any, form: str) -> str:
    return "" if value is None else format(value, form).replace("|", "\\|")
