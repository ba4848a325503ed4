"""Run a function in a process of its own, so that an engine that crashes or hangs costs one answer, not the program."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from reidctl.errors import InputError, ReidError

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

START = "from reidctl.runtimes.child import answer; answer()"


EMBEDDING_S, IMAGE_S = 1800.0, 1.0
"""What embedding images may take: the engine's start, and each of them, by a large network on a slow machine."""


class Crashed(InputError):
    """The process ended without an answer: it crashed, hung, or met an error that is not the user's."""


def run_in_child(function: Callable[..., Result], *arguments: Any, timeout_s: float) -> Result:
    """`function(*arguments)`, computed in a fresh Python process; both go there, and the result comes back, by pickle.

    Raises the ReidError that the function raised, or Crashed for every other end. Warnings that the library logs
    there are logged here, each once. The child ends with this process, however that ends.
    """
    with tempfile.TemporaryDirectory(prefix="reidctl-") as folder, _lifeline() as lifeline:
        job, reply = Path(folder, "job"), Path(folder, "reply")
        job.write_bytes(pickle.dumps((function, arguments)))
        try:
            ended = subprocess.run(
                command(START, str(job), str(reply)),
                env=environment(),
                stdin=lifeline,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            raise Crashed(f"no answer after {timeout_s:g} s, stopped") from late
        if not reply.exists():
            raise Crashed(obituary(ended.returncode, ended.stderr.decode(errors="replace")))
        result, error, warnings = pickle.loads(reply.read_bytes())
    relay(warnings)
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]


def embedding_limit_s(images: int) -> float:
    """Seconds after which a process that embeds so many images hangs, as far as anybody can tell."""
    return EMBEDDING_S + IMAGE_S * images


def answer() -> None:
    """The whole life of the child: read the job, do it, write the reply."""
    end_with_parent()
    job, reply = map(Path, sys.argv[1:])
    result, error = None, None
    with caught_warnings() as warnings:
        try:
            function, arguments = pickle.loads(job.read_bytes())
            result = function(*arguments)
        except ReidError as caught:
            error = caught
        except Exception as caught:
            error = Crashed(f"{type(caught).__name__}: {caught}")
    written = reply.with_name("unfinished")
    written.write_bytes(pickle.dumps((result, error, warnings)))
    os.replace(written, reply)


def command(program: str, *arguments: str) -> list[str]:
    """That of a child process that runs a program in Python, with `environment` for its environment."""
    # Without -P it would import from the user's current folder first, whatever lies there.
    return [sys.executable, "-P", "-c", program, *arguments]


def environment() -> dict[str, str]:
    """That of a child process which imports from where this one does, and from nowhere else."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}


def end_with_parent() -> None:
    """End this process when the other end of its stdin is closed, as the parent's death does; its stdin is empty now.

    An engine that computes without letting other threads of Python run ends after that.
    """
    lifeline = os.dup(0)
    with open(os.devnull) as empty:
        os.dup2(empty.fileno(), 0)
    threading.Thread(target=_end_after, args=(lifeline,), daemon=True).start()


def _end_after(lifeline: int) -> None:
    while os.read(lifeline, 1):
        pass
    os._exit(1)


@contextmanager
def _lifeline() -> Iterator[int]:
    """What a child that calls `end_with_parent` takes for its stdin."""
    theirs, ours = os.pipe()
    try:
        yield theirs
    finally:
        os.close(theirs)
        os.close(ours)


@contextmanager
def caught_warnings() -> Iterator[list[tuple[str, str]]]:
    """Within the block, warnings that the library logs are put into the list, as (logger, message)."""
    handler = _Warnings()
    logging.getLogger("reidctl").addHandler(handler)
    try:
        yield handler.found
    finally:
        logging.getLogger("reidctl").removeHandler(handler)


def relay(warnings: list[tuple[str, str]]) -> None:
    """Log here what was caught in a child, each message once."""
    for name, message in warnings:
        _relay(name, message)


def obituary(code: int, stderr: str) -> str:
    """Why a process ended without an answer, in one line: its exit code or signal, and the last that it said."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    said = f": {lines[-1].strip()}" if lines else ""
    if code >= 0:
        return f"the process ended with code {code}{said}"
    name = signal.Signals(-code).name
    return f"the process died of {name}{', mostly for lack of memory' if name == 'SIGKILL' else said}"


class _Warnings(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append((record.name, record.getMessage()))


@cache
def _relay(name: str, message: str) -> None:
    logging.getLogger(name).warning("%s", message)
