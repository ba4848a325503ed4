"""Commands that several processes carry out together."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from reidctl.cli.output import output

Arguments = ParamSpec("Arguments")


def in_all_processes(command: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """`command` for each of the processes that torchrun started: the first one speaks, and they end together."""

    @wraps(command)
    def joined(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        if os.environ.get("WORLD_SIZE", "1") == "1":
            return command(*args, **kwargs)
        from reidctl.training.joining import together

        with together() as processes:
            output.silent = not processes.first
            return command(*args, **kwargs)

    return joined
