"""An artefact opened in a process of its own: an engine that crashes is one error, and the program goes on."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import weakref
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from reidctl.errors import ReidError
from reidctl.registry import runtimes
from reidctl.runtimes.child import Crashed, caught_warnings, environment, obituary, relay
from reidctl.types import Spec

if TYPE_CHECKING:
    from reidctl.types import Float32, UInt8

START = "from reidctl.runtimes.isolated import serve; serve()"
FACTS = ("info", "config", "device", "precision", "stated")
"""Attributes of a runtime that its stand-in here has too, where the runtime has them."""


class IsolatedRuntime:
    """A runtime that lives in a child process; its methods are called by pickle, one at a time.

    Raises what the runtime raises of ours, and Crashed where its process dies or meets any other error. The child ends
    with this object, or with this process, however that ends.
    """

    def __init__(self, spec: Spec, *, path: Path, device: str, precision: str | None) -> None:
        self._path = path
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the child
        self._child = subprocess.Popen(
            [sys.executable, "-c", START],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
        )
        weakref.finalize(self, _end, self._child)
        facts, self._methods = self._ask("open", spec, path, device, precision)
        vars(self).update(facts)

    def embed_batch(self, images: UInt8) -> Float32:
        """images [B, H, W, 3] uint8 RGB -> embeddings [B, D] float32."""
        vectors: Float32 = self._ask("embed_batch", images)
        return vectors

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._methods:
            raise AttributeError(f"the runtime of {self._path} has no '{name}'")
        return partial(self._ask, name)

    def _ask(self, method: str, *arguments: Any) -> Any:
        assert self._child.stdin
        assert self._child.stdout
        try:
            pickle.dump((method, arguments), self._child.stdin, protocol=5)
            self._child.stdin.flush()
            result, error, warnings = pickle.load(self._child.stdout)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError) as end:
            code = self._child.wait()
            self._stderr.seek(0)
            raise Crashed(f"{self._path}: {obituary(code, self._stderr.read().decode(errors='replace'))}") from end
        relay(warnings)
        if error is not None:
            raise error
        return result


def _end(child: subprocess.Popen[bytes]) -> None:
    for pipe in (child.stdin, child.stdout):
        # What it never read of a question cannot be flushed once it is dead.
        with suppress(BrokenPipeError):
            if pipe:
                pipe.close()
    child.wait()


def serve() -> None:
    """The whole life of the child: open what it is told to, then answer calls until nobody asks any more."""
    # Ctrl-C reaches all processes of a terminal; the parent says when it is over.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    questions, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    # What an engine prints is no answer.
    os.dup2(2, 1)
    runtime: Any = None
    while (asked := _next(questions)) is not None:
        method, arguments = asked
        result, error = None, None
        with caught_warnings() as warnings:
            try:
                if method == "open":
                    runtime, result = _open(*arguments)
                else:
                    result = getattr(runtime, method)(*arguments)
            except ReidError as caught:
                error = caught
            except Exception as caught:
                error = Crashed(f"{type(caught).__name__}: {caught}")
        pickle.dump((result, error, warnings), answers, protocol=5)
        answers.flush()


def _next(questions: IO[bytes]) -> tuple[str, tuple[Any, ...]] | None:
    try:
        asked: tuple[str, tuple[Any, ...]] = pickle.load(questions)
    except EOFError:
        return None
    return asked


def _open(spec: Spec, path: Path, device: str, precision: str | None) -> tuple[Any, tuple[dict[str, Any], list[str]]]:
    runtime = runtimes.build(spec, path=path, device=device, precision=precision)
    facts = {name: getattr(runtime, name) for name in FACTS if hasattr(runtime, name)}
    return runtime, (facts, [name for name in dir(runtime) if callable(getattr(runtime, name)) and name[0] != "_"])
