"""The command line: one small file per command, reached through the `reidctl.commands` entry points.

Command modules import what computes (torch, openvino, numpy) inside their functions, so that help and
listings start at once. A command's result goes to stdout, everything else to stderr.
"""

import gc
import os
import sys
from pathlib import Path


def main() -> None:
    """Run the command line of this process and exit with its code."""
    # A tenth of a short command's time went into looking for garbage, which imports do not make.
    gc.set_threshold(200_000)
    _open_closed_streams()
    from reidctl.cli.app import build, globals_first
    from reidctl.cli.boundary import guarded

    arguments = globals_first(sys.argv[1:])
    sys.exit(guarded(lambda: build(arguments)(args=arguments, prog_name="reidctl"), debug="--debug" in arguments))


def _open_closed_streams() -> None:
    """Whoever closed a stream (`>&-`) wants nothing written there, not an error about it."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            # Open as long as the process is.
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
