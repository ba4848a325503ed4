"""One measurement, made in a process that does nothing else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from reidctl.errors import InputError
from reidctl.registry import runtimes
from reidctl.types import Spec

if TYPE_CHECKING:
    from reidctl.types import Float32, UInt8

WARM_UP_S = 0.5


@dataclass(frozen=True)
class Job:
    """What to measure: an artefact through the runtime of that name, on batches of random images, for some seconds."""

    path: Path
    runtime: str
    device: str
    precision: str
    batch: int
    hint: str
    seconds: float


@dataclass(frozen=True)
class Measured:
    """What was measured.

    fps: images a second; p50_ms, p90_ms: from handing a batch over to having its embeddings; load_s: from a started
    Python to the first embeddings, the engine's import included; memory_mib: most that the process ever held;
    requests: how many batches were under way at once.
    """

    device: str
    requests: int
    fps: float
    p50_ms: float
    p90_ms: float
    load_s: float
    memory_mib: float | None


def measure(job: Job) -> Measured:
    """Open the artefact, warm up, measure. Raises InputError for what it or its runtime cannot do."""
    started = perf_counter()
    embedder = _open(job)
    run = _streamed if hasattr(embedder, "embed_stream") else _one_by_one
    height, width = embedder.info.image.size
    images = np.random.default_rng(0).integers(0, 256, (job.batch, height, width, 3), dtype=np.uint8)
    run(embedder, images, 0)
    load_s = perf_counter() - started
    run(embedder, images, min(WARM_UP_S, job.seconds))
    latencies, elapsed = run(embedder, images, job.seconds)
    p50, p90 = np.percentile(latencies, (50, 90)) * 1000
    return Measured(
        device=str(getattr(embedder, "device", job.device)),
        requests=getattr(embedder, "requests", 1),
        fps=len(latencies) * job.batch / elapsed,
        p50_ms=float(p50),
        p90_ms=float(p90),
        load_s=load_s,
        memory_mib=peak_memory_mib(),
    )


def _open(job: Job) -> Any:
    known = runtimes.parameters(job.runtime).model_fields
    if job.hint == "throughput" and "hint" not in known:
        raise InputError(f"runtime {job.runtime} runs one batch at a time")
    wanted = {"hint": job.hint, "chunk": job.batch}
    spec = Spec(name=job.runtime, **{key: value for key, value in wanted.items() if key in known})
    embedder = runtimes.build(spec, path=job.path, device=job.device, precision=job.precision)
    fixed = getattr(embedder, "batch", None)
    if fixed not in (None, job.batch):
        raise InputError(f"made for batches of {fixed}")
    return embedder


def _one_by_one(embedder: Any, images: UInt8, seconds: float) -> tuple[list[float], float]:
    """(seconds each batch took, seconds all took); at least one batch."""
    latencies: list[float] = []
    started = now = perf_counter()
    while now - started < seconds or not latencies:
        embedder.embed_batch(images)
        latencies.append(perf_counter() - now)
        now += latencies[-1]
    return latencies, now - started


def _streamed(embedder: Any, images: UInt8, seconds: float) -> tuple[list[float], float]:
    """The same, with as many batches under way as the runtime takes."""
    begun: list[float] = []
    ended: dict[int, float] = {}
    started = perf_counter()

    def batches() -> Iterator[UInt8]:
        while (now := perf_counter()) - started < seconds or not begun:
            begun.append(now)
            yield images

    def done(index: int, embeddings: Float32) -> None:
        ended[index] = perf_counter()

    embedder.embed_stream(batches(), done)
    return [ended[index] - begin for index, begin in enumerate(begun)], max(ended.values()) - started


def peak_memory_mib() -> float | None:
    """The most resident memory that this process ever had; None where the system does not tell."""
    try:
        # The resource module would also count what the parent held when it forked this process.
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024
    except (OSError, IndexError):
        pass
    try:
        import resource
    except ImportError:
        return None
    unit = 1024**2 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
