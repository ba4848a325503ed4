"""Checks in a child process, which tells each step as it goes: one that hangs or crashes costs one part its check."""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import IO

from reidctl.conformance.report import Outcome, Question, Report, Step
from reidctl.conformance.steps import Unasked, steps
from reidctl.errors import ReidError
from reidctl.runtimes.child import caught_warnings, command, end_with_parent, environment, obituary

START = "from reidctl.conformance.process import answer; answer()"
START_S = 120
END = "end"

Event = tuple[int, str, Step | None]
"""(part, step, what came of it): None before the step, and after the last one with END for its name."""


def examine(
    questions: Sequence[Question], limit_s: float, progress: Callable[[int], None] | None = None
) -> list[Report]:
    """Take every part through its steps, none of which may take longer than `limit_s` seconds.

    A part whose step hangs or kills the process is broken, and the others go on in a new process. progress is told of
    each part that is done.
    """
    reports = [Report(question) for question in questions]
    first = 0
    while first < len(reports):
        done = _in_one_child(reports[first:], limit_s, progress or (lambda _: None))
        first += done
    return reports


def _in_one_child(reports: Sequence[Report], limit_s: float, progress: Callable[[int], None]) -> int:
    """Fill in the reports until all are or the process ends; how many are done."""
    with tempfile.TemporaryFile() as stderr, _child(reports, stderr) as child:
        assert child.stdout
        events: queue.Queue[Event | None] = queue.Queue()
        threading.Thread(target=_listen, args=(child.stdout, events), daemon=True).start()
        part, step, started = 0, "start", perf_counter()
        # Python and reidctl itself may take a while to start where a machine is busy.
        patience = max(limit_s, START_S)
        while True:
            try:
                event = events.get(timeout=patience)
            except queue.Empty:
                why = f"no answer after {patience:g} s, stopped"
                break
            patience = limit_s
            if event is None:
                code = child.wait()
                stderr.seek(0)
                why = obituary(code, stderr.read().decode(errors="replace"))
                break
            part, step, found = event
            if found:
                reports[part].steps.append(found)
            elif step == END:
                progress(1)
                part, step = part + 1, "start"
                if part == len(reports):
                    return part
            else:
                started = perf_counter()
        reports[part].steps.append(Step(step, "failed", why, perf_counter() - started))
        progress(1)
        return part + 1


@contextmanager
def _child(reports: Sequence[Report], stderr: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that was asked the questions; after the block it is gone, and its temporary files are, too."""
    # Where a process that it started still writes there, some of them may stay.
    with tempfile.TemporaryDirectory(prefix="reidctl-", ignore_cleanup_errors=True) as temporary:
        child = subprocess.Popen(
            command(START),
            env={**environment(), "TMPDIR": temporary},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
        try:
            assert child.stdin
            pickle.dump([report.question for report in reports], child.stdin)
            # It stays open, for the child ends when it is closed.
            child.stdin.flush()
            yield child
        finally:
            child.kill()
            child.wait()


def _listen(pipe: IO[bytes], events: queue.Queue[Event | None]) -> None:
    try:
        while True:
            events.put(pickle.load(pipe))
    except (EOFError, OSError, ValueError, pickle.UnpicklingError):
        events.put(None)


def answer() -> None:
    """The whole life of the child: read the questions, tell the events."""
    # What a part prints is no answer.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    questions: list[Question] = pickle.load(sys.stdin.buffer)
    end_with_parent()
    for part, question in enumerate(questions):
        for step, found in _carried_out(question):
            pickle.dump((part, step, found), answers)
            answers.flush()


def _carried_out(question: Question) -> Iterator[tuple[str, Step | None]]:
    said: list[str] = []
    course = steps(question, said.append)
    name: str | None = next(course)
    while name:
        yield name, None
        said.clear()
        started, following = perf_counter(), None
        outcome: Outcome = "ok"
        with caught_warnings() as warnings:
            try:
                following = next(course, None)
            except Unasked as lacking:
                outcome, said = "skipped", [str(lacking)]
            except (Exception, SystemExit) as cause:
                outcome, said = "failed", [_reason(cause)]
        messages = tuple(message for logger, message in warnings if logger == "reidctl.plugins")
        yield name, Step(name, outcome, "; ".join(said), perf_counter() - started, messages)
        name = following
    yield END, None


def _reason(cause: BaseException) -> str:
    text = " ".join(str(cause).split())
    plain = isinstance(cause, ReidError | AssertionError) and text
    return text if plain else f"{type(cause).__name__}: {text}"
