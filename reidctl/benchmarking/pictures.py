"""What the measured batches are made of: random pictures that are ready, decoded frames, or JPEG files."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from reidctl.data.images import load_array, read_image, resized
from reidctl.data.sources import open_dataset
from reidctl.types import Sample, Spec

if TYPE_CHECKING:
    from reidctl.benchmarking.timing import Batches
    from reidctl.types import ImageSpec, UInt8

MOST = 512
"""Files that a measurement goes through again and again; the disk's cache holds them after the first time."""
QUALITY = 95


def files_of(samples: Sequence[Sample], folder: Path) -> tuple[Sample, ...]:
    """Up to MOST samples, spread over those given, as files; drawn pedestrians where there are none.

    Pictures that are drawn become JPEG files in `folder`.
    """
    given = list(samples) or list(open_dataset(Spec(name="synthetic"), folder).gallery)
    chosen = given[:: -(-len(given) // MOST)]
    return tuple(sample if isinstance(sample.image, Path) else _saved(sample, folder) for sample in chosen)


def _saved(sample: Sample, folder: Path) -> Sample:
    path = folder / f"{sample.name}.jpg"
    if not path.exists():
        read_image(sample.image).save(path, quality=QUALITY, subsampling=0)
    return Sample(path, sample.name, sample.identity, sample.camera)


def ready(size: tuple[int, int], batch: int) -> Batches:
    """One batch of noise of the network's own size [batch, H, W, 3], again and again."""
    images = np.random.default_rng(0).integers(0, 256, (batch, *size, 3), dtype=np.uint8)
    while True:
        yield perf_counter(), images


def loading(start: str, samples: Sequence[Sample], spec: ImageSpec) -> tuple[Sequence[Any], Callable[[Any], UInt8]]:
    """What batches are made of, and what makes a picture ready for the network [H, W, 3] of one item.

    `jpeg`: files, read and decoded on the way; `frames`: pictures that are decoded now, only resized on the way.
    """
    if start == "jpeg":
        return samples, partial(load_array, spec=spec)
    return [read_image(sample.image) for sample in samples], lambda frame: np.asarray(resized(frame, spec.size))


def loaded(
    items: Sequence[Any], load: Callable[[Any], UInt8], batch: int, pool: ThreadPoolExecutor, ahead: int
) -> Batches:
    """Batches made of the items by the threads of `pool`, `ahead` of them before they are asked for; without end.

    A batch begins when its first item is given to a thread.
    """
    endless = cycle(items)
    waiting: deque[tuple[float, list[Future[UInt8]]]] = deque()
    while True:
        while len(waiting) <= ahead:
            waiting.append((perf_counter(), [pool.submit(load, item) for item in islice(endless, batch)]))
        begun, futures = waiting.popleft()
        yield begun, np.stack([future.result() for future in futures])
