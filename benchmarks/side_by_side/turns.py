"""Processes that each do one thing, and are measured in turns, so that a machine whose speed drifts does not decide."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from typing import Any

from side_by_side.results import Report, Table


class Ended(Exception):
    """A process that ended before it had measured."""


class Measured:
    """`command` as a process that tells what its first piece of work took, and then measures when it is told to.

    It prints a JSON object a line: {"seconds": …} at first, then one for every line that it reads. cache: a folder for
    what torch compiles; an empty one, so that `first` is what compiling costs.
    """

    def __init__(self, command: list[str], cache: str) -> None:
        environment = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": cache}
        self.process = subprocess.Popen(
            [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.first: float = self._answer()["seconds"]

    def turn(self) -> dict[str, Any]:
        """What it measures now."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise Ended(" ".join(map(str, self.process.args)))  # type: ignore[arg-type]
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> None:
        """Let it end, and wait until it has."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def add_ways(
    table: Table, report: Report, what: str, ways: Iterable[str], compare: Callable[[str], list[dict[str, Any]]]
) -> None:
    """Rows of `what`: compare's of each way, those of plain and of the way; plain is told once.

    A way that ends before it has measured becomes a note.
    """
    begun = False
    for way in ways:
        try:
            plain, ours = compare(way)
        except Ended:
            report.note(f"{what}, {way}: cannot be had on this machine.")
            continue
        for row in [ours] if begun else [plain, ours]:
            table.add(row)
        begun = True


def tell(**values: Any) -> None:
    """Answer who measures this process."""
    print(json.dumps(values), flush=True)
