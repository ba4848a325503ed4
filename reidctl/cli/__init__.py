"""The command line: one small file per command, reached through the `reidctl.commands` entry points.

Command modules import what computes (torch, openvino, numpy) inside their functions, so that help and
listings start at once. A command's result goes to stdout, everything else to stderr.
"""

import gc
import os
import sys
from io import TextIOWrapper
from pathlib import Path


def main() -> None:
    """Run the command line of this process and exit with its code."""
    # A tenth of a short command's time went into looking for garbage, which imports do not make.
    gc.set_threshold(200_000)
    # Importing pydantic looks for its plugins in the metadata of every package; whoever has some can set this.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    _prepare_streams()
    from reidctl.cli.app import build, globals_first
    from reidctl.cli.boundary import guarded

    arguments = globals_first(sys.argv[1:])
    code = guarded(lambda: build(arguments)(args=arguments, prog_name="reidctl"), debug="--debug" in arguments)
    # Another tenth went into the search through all objects with which the interpreter ends; the system frees them.
    gc.freeze()
    sys.exit(code)


def _prepare_streams() -> None:
    """Whoever closed a stream (`>&-`) wants nothing written there; what an encoding lacks is written as an escape."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # Open as long as the process is.
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
