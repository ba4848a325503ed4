"""Samples to embeddings in a stream: threads decode and resize ahead while the engine computes several batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from reidctl.data.images import ImageError, load_arrays, read_image
from reidctl.errors import InputError
from reidctl.processor import usable_cores

if TYPE_CHECKING:
    from reidctl.types import Float32, ImageSpec, Sample, StreamEmbedder, UInt8

# Beside those that threads are at: enough that the engine finds one whenever it asks, few enough to hold.
BATCHES_READY = 4


class Decoded(NamedTuple):
    """images [size, H, W, 3] uint8, black where there is none; bad: the places of images that cannot be read."""

    images: UInt8
    bad: dict[int, ImageError]


def embed_stream(
    embedder: StreamEmbedder,
    batches: Sequence[Sequence[Sample]],
    size: int,
    done: Callable[[int, Float32, dict[int, ImageError]], None],
    *,
    skip_bad: bool = False,
    workers: int = 0,
) -> None:
    """Embed batches of up to `size` samples; a smaller one is filled up, so that one compiled graph does for all.

    done takes the number of a batch, a row for each of its samples, and the images among them that cannot be read,
    whose rows mean nothing; in the order of completion, one call at a time. workers: decoding threads, 0 for one a
    core. Without skip_bad the first image that cannot be read ends the stream with its ImageError; InputError for an
    embedding that is not finite.
    """
    bad: dict[int, dict[int, ImageError]] = {}
    one_at_a_time = Lock()

    def keep(index: int, vectors: Float32) -> None:
        samples, broken = batches[index], bad.pop(index)
        rows = vectors[: len(samples)]
        for place in np.flatnonzero(~np.isfinite(rows).all(axis=1)):
            if place not in broken:
                raise InputError(f"the embedding of '{samples[int(place)].name}' is not finite")
        with one_at_a_time:
            done(index, rows, broken)

    with decoding_threads(workers) as pool:

        def images() -> Iterator[UInt8]:
            ahead = decoded_ahead(batches, embedder.info.image, size, pool, skip_bad)
            for index, decoded in enumerate(ahead):
                bad[index] = decoded.bad
                yield decoded.images

        embedder.embed_stream(images(), keep)


@contextmanager
def decoding_threads(workers: int = 0) -> Iterator[ThreadPoolExecutor]:
    """Threads that each resize alone, one a core unless told otherwise.

    Left to itself, every one of them would start threads of torch's for each picture, which wait for each other.
    """
    import torch

    before = torch.get_num_threads()
    with ThreadPoolExecutor(workers or usable_cores(), initializer=torch.set_num_threads, initargs=(1,)) as pool:
        try:
            yield pool
        finally:
            torch.set_num_threads(before)


def decoded_ahead(
    batches: Sequence[Sequence[Sample]],
    spec: ImageSpec,
    size: int,
    pool: ThreadPoolExecutor,
    skip_bad: bool = False,
    ready: int = BATCHES_READY,
) -> Iterator[Decoded]:
    """The batches in order, as the threads of the pool decode them ahead of their use: one each, and `ready` more."""
    ahead: deque[Future[Decoded]] = deque()
    try:
        for batch in batches:
            ahead.append(pool.submit(_decoded, batch, spec, size, skip_bad))
            if len(ahead) >= pool._max_workers + ready:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        for waiting in ahead:
            waiting.cancel()


def _decoded(samples: Sequence[Sample], spec: ImageSpec, size: int, skip_bad: bool) -> Decoded:
    pictures, bad = {}, {}
    for place, sample in enumerate(samples):
        try:
            pictures[place] = read_image(sample.image)
        except ImageError as error:
            if not skip_bad:
                raise
            bad[place] = error
    images = np.zeros((size, *spec.size, 3), np.uint8)
    if pictures:
        images[list(pictures)] = load_arrays(list(pictures.values()), spec)
    return Decoded(images, bad)
