"""How a time is taken, here and nowhere else: batches one by one, or several under way at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reidctl.types import Float32, UInt8

Batches = Iterator[tuple[float, "UInt8"]]
"""When work on a batch began, and its images; without end."""


@dataclass(frozen=True)
class Timing:
    """latencies: seconds from the beginning of each batch to its embeddings; rate: batches a second.

    cpu: seconds of processor time of all threads a batch; other processes hardly change it.
    """

    latencies: list[float]
    rate: float
    cpu: float


def timed(embedder: Any, batches: Batches, seconds: float) -> Timing:
    """Embed batches for `seconds`, at least one, as many at once as the engine takes."""
    run = _streamed if hasattr(embedder, "embed_stream") else _one_by_one
    return run(embedder, batches, seconds)


def _one_by_one(embedder: Any, batches: Batches, seconds: float) -> Timing:
    latencies: list[float] = []
    worked = process_time()
    started = now = perf_counter()
    while now - started < seconds or not latencies:
        begun, images = next(batches)
        embedder.embed_batch(images)
        now = perf_counter()
        latencies.append(now - begun)
    count = len(latencies)
    return Timing(latencies, count / (now - started), (process_time() - worked) / count)


def _streamed(embedder: Any, batches: Batches, seconds: float) -> Timing:
    begun: list[float] = []
    ended: dict[int, float] = {}
    worked, started = process_time(), perf_counter()

    def drawn() -> Iterator[UInt8]:
        while perf_counter() - started < seconds or not begun:
            when, images = next(batches)
            begun.append(when)
            yield images

    def done(index: int, embeddings: Float32) -> None:
        ended[index] = perf_counter()

    embedder.embed_stream(drawn(), done)
    cpu = process_time() - worked
    # Towards the end requests run dry: only what ended while there was more to do tells how fast it goes.
    in_time = [end for end in ended.values() if end - started <= seconds] or list(ended.values())
    latencies = [ended[index] - begin for index, begin in enumerate(begun)]
    return Timing(latencies, len(in_time) / (max(in_time) - started), cpu / len(begun))
