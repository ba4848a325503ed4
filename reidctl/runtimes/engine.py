"""The OpenVINO engine of this process."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from reidctl.errors import InputError


@cache
def engine() -> Any:
    """OpenVINO's Core: one a process, and never let go.

    The CPU plugin of OpenVINO 2026.4 gives the thread a signal stack of its own and takes it back with the Core. Where
    two Cores overlap, the end of the second puts back that of the first, which is gone: the next signal, be it Ctrl-C
    or the end of a child process, then kills the process.
    """
    from openvino import Core

    return Core()


@cache
def extend(library: Path) -> None:
    """Load a library with further operations (`OPENVINO_CREATE_EXTENSIONS`) into the engine of this process, once."""
    if not library.is_file():
        raise InputError(f"no such extension: {library}", "give the .so, .dll or .dylib that was built for OpenVINO")
    try:
        engine().add_extension(str(library))
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise InputError(
            f"{library}: OpenVINO cannot load this extension: {lines[-1] if lines else 'no reason given'}",
            "it must be built for the installed OpenVINO, and for this system",
        ) from error
