"""An artefact opened in a process of its own: an engine that crashes is one error, and the program goes on."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from reidctl.errors import InputError, ReidError
from reidctl.registry import runtimes
from reidctl.runtimes.child import Crashed, caught_warnings, command, environment, obituary, relay
from reidctl.runtimes.ring import Shape, attach, reserve
from reidctl.runtimes.streaming import embed_stream
from reidctl.types import Spec

if TYPE_CHECKING:
    from reidctl.runtimes.ring import Ring
    from reidctl.types import Float32, UInt8

START = "from reidctl.runtimes.isolated import serve; serve()"
STOPPED = -1
"""In place of a slot: the stream broke off."""

FACTS = ("info", "config", "device", "precision", "stated", "batch", "chunk", "requests")
"""Attributes of a runtime that its stand-in here has too, where the runtime has them."""


class IsolatedRuntime:
    """A runtime that lives in a child process; its methods are called by pickle, one at a time.

    Raises what the runtime raises of ours, and Crashed where its process dies or meets any other error. The child ends
    with this object, or with this process, however that ends, and with an interrupt.
    """

    def __init__(self, spec: Spec, *, path: Path, device: str, precision: str | None) -> None:
        self._path = path
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the child
        self._child = subprocess.Popen(
            command(START),
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
        )
        self._interrupted = False
        weakref.finalize(self, _end, self._child)
        facts, self._methods = self._ask("open", spec, path, device, precision)
        vars(self).update(facts)

    def embed_batch(self, images: UInt8) -> Float32:
        """images [B, H, W, 3] uint8 RGB -> embeddings [B, D] float32."""
        vectors: Float32 = self._ask("embed_batch", images)
        return vectors

    def embed_stream(self, batches: Iterable[UInt8], done: Callable[[int, Float32], None]) -> None:
        """Embed every batch; see `reidctl.runtimes.streaming`. None is larger than the first.

        Images and embeddings pass through memory that both processes have; twice as many batches as the runtime
        computes at once are under way, so that it never waits for this process.
        """
        iterator = iter(batches)
        first = next(iterator, None)
        if first is None:
            return
        slots = 2 * vars(self).get("requests", 1) + 2
        batch, height, width, _ = first.shape
        shape = Shape(slots, batch, height, width, self.info.embedding_dim)
        path = reserve(shape)
        with self._in_step():
            try:
                ring = attach(path, shape)
                self._send("stream", path, shape)
                if refused := self._receive():
                    self._answer(refused)
            finally:
                with suppress(OSError):  # Windows keeps a file that is mapped.
                    path.unlink()
            _Feed(self, ring, done).run(first, iterator)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._methods:
            raise AttributeError(f"the runtime of {self._path} has no '{name}'")
        return partial(self._ask, name)

    def _ask(self, method: str, *arguments: Any) -> Any:
        with self._in_step():
            self._send(method, *arguments)
            return self._answer(self._receive())

    @contextmanager
    def _in_step(self) -> Iterator[None]:
        """An interrupt within the block ends the child: it may hang, and its answer is that of no later question."""
        try:
            yield
        except Exception:
            raise
        except BaseException:
            self._interrupted = True
            self._child.kill()
            raise

    def _answer(self, answer: tuple[Any, ReidError | None, list[tuple[str, str]]]) -> Any:
        result, error, warnings = answer
        relay(warnings)
        if error is not None:
            raise error
        return result

    def _send(self, method: str, *arguments: Any) -> None:
        assert self._child.stdin
        if self._interrupted:
            raise Crashed(f"{self._path}: it was interrupted", "open it again")
        try:
            pickle.dump((method, arguments), self._child.stdin, protocol=5)
            self._child.stdin.flush()
        except BrokenPipeError as end:
            raise self._crashed() from end

    def _receive(self) -> Any:
        assert self._child.stdout
        try:
            return pickle.load(self._child.stdout)
        except (EOFError, pickle.UnpicklingError) as end:
            raise self._crashed() from end

    def _crashed(self) -> Crashed:
        code = self._child.wait()
        self._stderr.seek(0)
        return Crashed(f"{self._path}: {obituary(code, self._stderr.read().decode(errors='replace'))}")


class _Feed:
    """One stream to the child: fills free slots of the ring, and takes the embeddings out of those that are done."""

    def __init__(self, runtime: IsolatedRuntime, ring: Ring, done: Callable[[int, Float32], None]) -> None:
        self._runtime, self._ring, self._done = runtime, ring, done
        self._free = list(range(len(ring.images)))
        self._under_way: dict[int, tuple[int, int]] = {}
        self._stopped = False

    def run(self, first: UInt8, rest: Iterable[UInt8]) -> None:
        try:
            self._put(0, first)
            for index, images in enumerate(rest, start=1):
                if self._stopped:
                    break
                self._put(index, images)
        except Crashed:
            raise
        except Exception:
            self._done = lambda index, vectors: None
            self._end()
            raise
        self._end()

    def _put(self, index: int, images: UInt8) -> None:
        if len(images) > self._ring.images.shape[1]:
            raise InputError(f"a batch of {len(images)} images after a first one of {self._ring.images.shape[1]}")
        while not self._free:
            self._take(self._runtime._receive())
            if self._stopped:
                return
        slot = self._free.pop()
        self._ring.images[slot, : len(images)] = images
        self._under_way[slot] = index, len(images)
        self._runtime._send("batch", slot, len(images))

    def _take(self, slot: int) -> None:
        if slot == STOPPED:
            self._stopped = True
            return
        index, count = self._under_way.pop(slot)
        self._free.append(slot)
        self._done(index, self._ring.vectors[slot, :count])

    def _end(self) -> None:
        """Say that it was all, and take what is still under way, and at last whether it went well."""
        self._runtime._send("end")
        failure: BaseException | None = None
        while isinstance(answer := self._runtime._receive(), int):
            try:
                self._take(answer)
            except Exception as caught:
                failure = failure or caught
                self._done = lambda index, vectors: None
        if failure:
            raise failure
        self._runtime._answer(answer)


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
                elif method == "stream":
                    _stream(runtime, questions, answers, *arguments)
                else:
                    result = getattr(runtime, method)(*arguments)
            except ReidError as caught:
                error = caught
            except Exception as caught:
                error = Crashed(f"{type(caught).__name__}: {caught}")
        pickle.dump((result, error, warnings), answers, protocol=5)
        answers.flush()


def _stream(runtime: Any, questions: IO[bytes], answers: IO[bytes], path: Path, shape: Shape) -> None:
    """Embed the batches in slots of the ring, whose numbers come as questions and go back as answers when done."""
    ring, slots, lock, open_ = attach(path, shape), list[int](), threading.Lock(), [True]

    def tell(slot: int | None) -> None:
        with lock:
            pickle.dump(slot, answers, protocol=5)
            answers.flush()

    def batches() -> Iterator[UInt8]:
        while (asked := _next(questions)) is not None and asked[0] == "batch":
            slot, count = asked[1]
            slots.append(slot)
            yield ring.images[slot, :count]
        open_[0] = False

    def done(index: int, vectors: Float32) -> None:
        ring.vectors[slots[index], : len(vectors)] = vectors
        tell(slots[index])

    tell(None)
    drawn = batches()
    try:
        embed_stream(runtime, drawn, done)
    finally:
        if open_[0]:
            # What was asked before the error was known is no question of the next call.
            tell(STOPPED)
            for _ in drawn:
                pass


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
