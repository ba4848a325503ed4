"""Samples to embeddings: pictures are decoded by threads while the network computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from reidctl.data.images import load_array
from reidctl.retrieval.arrays import thread_pool
from reidctl.types import Embeddings

if TYPE_CHECKING:
    from reidctl.types import Embedder, Float32, ImageSpec, Sample, UInt8

# One batch is computed, one is ready, one is being decoded.
BATCHES_AHEAD = 2


def embed(
    embedder: Embedder,
    samples: Sequence[Sample],
    *,
    batch_size: int = 32,
    workers: int = 0,
    flip: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Embeddings:
    """Embeddings of samples, in their order, not normalised: [N, D] float32.

    workers: decoding threads, 0 for one a core; at most three batches of pictures are held at a time.
    flip: the mean of the embeddings of the image and of its mirror, taken before any normalisation.
    progress is told the size of every finished batch. InputError for an image that cannot be read, or an
    embedding that is not finite.
    """
    vectors = [np.empty((0, embedder.info.embedding_dim), np.float32)]
    with ThreadPoolExecutor(workers) if workers else thread_pool() as pool:
        for images in _batches(samples, embedder.info.image, batch_size, pool):
            vectors.append(_embed_batch(embedder, images, flip))
            if progress:
                progress(len(images))
    return Embeddings(np.concatenate(vectors), tuple(samples))


def _embed_batch(embedder: Embedder, images: UInt8, flip: bool) -> Float32:
    vectors = embedder.embed_batch(images)
    if flip:
        mirrored = embedder.embed_batch(np.ascontiguousarray(images[:, :, ::-1]))
        vectors = (vectors + mirrored) / np.float32(2)
    return vectors


def _batches(samples: Sequence[Sample], spec: ImageSpec, batch_size: int, pool: ThreadPoolExecutor) -> Iterator[UInt8]:
    """Pictures [B, H, W, 3] uint8 RGB of consecutive samples, decoded ahead of their use."""
    ahead: deque[tuple[UInt8, list[Future[None]]]] = deque()
    try:
        for start in range(0, len(samples), batch_size):
            ahead.append(_decode(samples[start : start + batch_size], spec, pool))
            if len(ahead) > BATCHES_AHEAD:
                yield _finished(*ahead.popleft())
        while ahead:
            yield _finished(*ahead.popleft())
    finally:
        for _, waiting in ahead:
            for future in waiting:
                future.cancel()


def _decode(samples: Sequence[Sample], spec: ImageSpec, pool: ThreadPoolExecutor) -> tuple[UInt8, list[Future[None]]]:
    images = np.empty((len(samples), *spec.size, 3), np.uint8)

    def fill(place: int) -> None:
        images[place] = load_array(samples[place], spec)

    return images, [pool.submit(fill, place) for place in range(len(samples))]


def _finished(images: UInt8, waiting: list[Future[None]]) -> UInt8:
    for future in waiting:
        future.result()
    return images
