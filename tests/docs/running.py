"""The blocks of a page, run in order in one folder as a reader would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.docs.pages import Block, blocks

TAIL = 3000
"""Characters of a failed block's output that are shown."""


@dataclass(frozen=True)
class Ran:
    """A block and what it wrote to stdout."""

    block: Block
    out: str


def run_page(page: Path, folder: Path, variables: Mapping[str, str], python: Path | None = None) -> list[Ran]:
    """Run the bash and Python blocks of a page in `folder`, and write its files there; the first failure is an error.

    Nothing of a block is changed; `variables` (of the configuration) keep the work small. python: that of another
    environment than this one.
    """
    home = Path(python or sys.executable).parent
    environment = {**os.environ, **variables, "PATH": f"{home}{os.pathsep}{os.environ['PATH']}"}
    found = []
    for number, block in enumerate(blocks(page)):
        if block.file:
            _write(folder / block.file, block.code)
        elif block.is_run:
            found.append(Ran(block, _run(block, number, folder, environment)))
    return found


def _run(block: Block, number: int, folder: Path, environment: Mapping[str, str]) -> str:
    if block.language == "python":
        script = folder / f"block_{number}.py"
        _write(script, block.code)
        command = [sys.executable, str(script)]
    else:
        command = ["bash", "-euo", "pipefail", "-c", block.code]
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        told = "\n".join([block.code, ended.stdout[-TAIL:], ended.stderr[-TAIL:]])
        raise AssertionError(f"{block.place}: exit {ended.returncode}\n{told}")
    return ended.stdout


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def not_run(page: Path) -> list[str]:
    """The blocks of a page that are shown but cannot be run here, with their reasons."""
    return [f"{block.place}: {block.not_run}" for block in blocks(page) if block.not_run]
