"""The OpenVINO engine of this process."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def engine() -> Any:
    """OpenVINO's Core: one a process, and never let go.

    The CPU plugin of OpenVINO 2026.4 gives the thread a signal stack of its own and takes it back with the Core. Where
    two Cores overlap, the end of the second puts back that of the first, which is gone: the next signal, be it Ctrl-C
    or the end of a child process, then kills the process.
    """
    from openvino import Core

    return Core()
