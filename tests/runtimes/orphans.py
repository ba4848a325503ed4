"""What becomes of the child of a process that is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE_S = 20


def survives_its_parent(program: str, number: Path, *arguments: Path, **environment: str) -> bool:
    """Whether a process is still there some time after the Python program that started it is killed.

    number: a file that the process's number is written to, as a line; it is the program's first argument.
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(number), *map(str, arguments)],
        env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert _soon(lambda: number.exists() and number.read_text().endswith("\n"), 3 * PATIENCE_S)
    parent.kill()
    parent.wait()
    return not _soon(lambda: not _is_there(int(number.read_text())), PATIENCE_S)


def _soon(holds: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def _is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
