"""What a measurement found: tables on the terminal, and the same as JSON with the machine that it was found on."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from reidctl import __version__
from reidctl.errors import ReidError
from reidctl.files import require_writable, write_text
from reidctl.processor import processor

SCHEMA = "reidctl.benchmark/1"
PACKAGES = ("numpy", "torch", "torchvision", "openvino", "nncf")


class NotHere(ReidError):
    """Something to measure that this machine has not."""

    exit_code = 3


class Column(NamedTuple):
    """key: of a row; title: with the unit; form: format of a number, text has none; width: of text."""

    key: str
    title: str
    form: str = ""
    width: int = 16

    def show(self, text: str) -> str:
        """Texts to the left, numbers to the right."""
        return f" {text:>{max(len(self.title), 8)}}" if self.form else f" {text:<{self.width}}"

    def value(self, row: dict[str, Any]) -> str:
        """What a cell says; nothing where a row has no such value."""
        found = row.get(self.key)
        return "" if found is None else format(found, self.form)


class Table:
    """Rows under columns; each is printed when it is known."""

    def __init__(self, title: str, columns: tuple[Column, ...], *, quiet: bool) -> None:
        self.title, self.columns, self.rows = title, columns, list[dict[str, Any]]()
        self._quiet = quiet

    def add(self, row: dict[str, Any]) -> None:
        if not self.rows:
            self._print("\n" + self.title if self.title else "")
            self._print("".join(column.show(column.title) for column in self.columns))
        self.rows.append(row)
        self._print("".join(column.show(column.value(row)) for column in self.columns))

    def _print(self, line: str) -> None:
        if not self._quiet:
            print(line.rstrip(), flush=True)

    def as_dict(self) -> dict[str, Any]:
        columns = [{"key": column.key, "title": column.title, "form": column.form} for column in self.columns]
        return {"title": self.title, "columns": columns, "rows": self.rows}


class Report:
    """Tables and notes of one call of a script: printed, written as JSON, or both.

    output: None prints, "-" prints JSON instead, a path prints and writes it there.
    """

    def __init__(self, output: str | None) -> None:
        self._output, self._tables, self._notes = output, list[Table](), list[str]()
        if output not in (None, "-"):
            require_writable(Path(output))

    def table(self, title: str, *columns: Column) -> Table:
        self._tables.append(Table(title, columns, quiet=self._output == "-"))
        return self._tables[-1]

    def note(self, text: str) -> None:
        """A sentence that belongs to the figures."""
        self._notes.append(text)
        if self._output != "-":
            print(text, flush=True)

    def finish(self) -> None:
        """Write the JSON that was asked for."""
        if self._output is None:
            return
        text = json.dumps(self.as_dict(), indent=1)
        if self._output == "-":
            print(text)
        else:
            write_text(Path(self._output), text + "\n")

    def as_dict(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "name": Path(sys.argv[0]).stem,
            "command": _command(),
            "date": datetime.now(UTC).date().isoformat(),
            "machine": machine(),
            "tables": [table.as_dict() for table in self._tables if table.rows],
            "notes": self._notes,
        }


def add_json(parser: argparse.ArgumentParser) -> None:
    """The option that all scripts have; its value goes to Report."""
    told = "print JSON instead of tables, or write it to FILE beside them"
    parser.add_argument("--json", nargs="?", const="-", metavar="FILE", help=told)


def native(ways: Iterable[str], report: Report) -> list[str]:
    """Those of the ways that this machine has instructions for; bf16 that is imitated takes several times as long."""
    import torch

    if processor().has_bf16 or torch.cuda.is_available():
        return list(ways)
    report.note("bf16 is left out: this processor has no instructions for it.")
    return [way for way in ways if "bf16" not in way]


def run(main: Callable[[], None]) -> None:
    """`main`; what a user can mend ends it with one line and its exit code, 3 for what this machine lacks."""
    try:
        main()
    except ReidError as error:
        print(f"not measured: {error}" + (f"; {error.hint}" if error.hint else ""), file=sys.stderr)
        sys.exit(error.exit_code)


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    name, cores, instructions = processor()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": name,
        "cores": cores,
        "instructions": instructions,
        "memory_gib": round(memory, 1),
        "gpu": _gpu(),
        "system": f"{_system()}, {platform.machine()}",
        "python": platform.python_version(),
        "packages": {"reidctl": __version__, **{name: found for name in PACKAGES if (found := _version(name))}},
    }


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.system()


def _gpu() -> str | None:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _command() -> str:
    """As it was called, but for where the JSON went and for folders of this machine."""
    words, skipped = ["python", f"benchmarks/{Path(sys.argv[0]).name}"], False
    for word in sys.argv[1:]:
        if skipped and not word.startswith("-"):
            skipped = False
            continue
        skipped = word == "--json"
        if not skipped and not word.startswith("--json="):
            words.append(Path(word).name if word.startswith("/") else word)
    return " ".join(f'"{word}"' if " " in word else word for word in words)
