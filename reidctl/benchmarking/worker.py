"""One measurement, made in a process that does nothing else."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from reidctl.benchmarking.pictures import loaded, loading, ready
from reidctl.benchmarking.timing import timed
from reidctl.errors import InputError
from reidctl.processor import usable_cores
from reidctl.registry import runtimes
from reidctl.types import Sample, Spec

if TYPE_CHECKING:
    from reidctl.benchmarking.timing import Batches
    from reidctl.types import Float32

WARM_UP_S = 0.5
AHEAD = 2
"""Batches that are decoded while others are computed."""
BATCH = 32
"""Images at once where accuracy is measured and the file leaves it free."""


@dataclass(frozen=True)
class Job:
    """What to measure: an artefact through a runtime, on batches of pictures, for some seconds.

    compiled: PyTorch's network compiled; streams: how many the engine computes side by side, None for its own choice;
    samples: the files that `frames` and `jpeg` start from.
    """

    path: Path
    runtime: str
    device: str
    precision: str
    batch: int
    hint: str
    seconds: float
    compiled: bool = False
    streams: int | None = None
    start: str = "ready"
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True)
class Round:
    """What one process measured.

    weights: precision of the file's; rate: images a second; latencies: seconds from the beginning of each batch to
    its embeddings; cpu_s: seconds of processor time an image; load_s: from a started Python to the first embeddings,
    the engine's import and compiling included; memory_mib: most that the process ever held; requests: how many batches
    were under way at once; streams: how many of them the engine computed side by side.
    """

    weights: str
    rate: float
    latencies: list[float]
    cpu_s: float
    load_s: float
    memory_mib: float | None
    requests: int
    streams: int


def measure(job: Job) -> Round:
    """Open the artefact, warm up, measure. Raises InputError for what it or its runtime cannot do."""
    started = perf_counter()
    embedder = _open(job)
    requests = getattr(embedder, "requests", 1)
    pool = ThreadPoolExecutor(usable_cores())
    try:
        batches = _batches(job, embedder, pool, AHEAD if requests > 1 else 0)
        timed(embedder, batches, 0)
        load_s = perf_counter() - started
        timed(embedder, batches, min(WARM_UP_S, job.seconds))
        found = timed(embedder, batches, job.seconds)
    finally:
        pool.shutdown(cancel_futures=True)
    return Round(
        weights=embedder.info.precision,
        rate=found.rate * job.batch,
        latencies=found.latencies,
        cpu_s=found.cpu / job.batch,
        load_s=load_s,
        memory_mib=peak_memory_mib(),
        requests=requests,
        streams=getattr(embedder, "streams", 1),
    )


def vectors(job: Job, samples: tuple[Sample, ...]) -> Float32:
    """The artefact's embeddings of samples [N, D], computed as it is measured."""
    from reidctl.retrieval import embed

    embedder = _open(job)
    return embed(embedder, samples, batch_size=getattr(embedder, "batch", None) or BATCH).vectors


def _open(job: Job) -> Any:
    known = runtimes.parameters(job.runtime).model_fields
    if job.hint == "throughput" and "hint" not in known:
        raise InputError(f"runtime {job.runtime} runs one batch at a time")
    wanted = {"hint": job.hint, "chunk": job.batch, "streams": job.streams, "compile": job.compiled}
    spec = Spec(name=job.runtime, **{key: value for key, value in wanted.items() if key in known})
    embedder = runtimes.build(spec, path=job.path, device=job.device, precision=job.precision)
    fixed = getattr(embedder, "batch", None)
    if fixed not in (None, job.batch):
        raise InputError(f"made for batches of {fixed}")
    return embedder


def _batches(job: Job, embedder: Any, pool: ThreadPoolExecutor, ahead: int) -> Batches:
    if job.start == "ready":
        return ready(embedder.info.image.size, job.batch)
    items, load = loading(job.start, job.samples, embedder.info.image)
    return loaded(items, load, job.batch, pool, ahead)


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
