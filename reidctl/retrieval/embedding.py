"""Samples to embeddings: pictures are decoded by threads while the network computes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from reidctl.processor import usable_cores
from reidctl.retrieval.pipeline import decoded_ahead, decoding_threads
from reidctl.types import Embeddings

if TYPE_CHECKING:
    from reidctl.types import Embedder, Float32, ImageSpec, Sample, UInt8

PICTURES = 8
"""That a thread decodes at once, at most: enough to enlarge together, few enough that many threads share a batch."""


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

    workers: decoding threads, 0 for one a core; at most three batches of pictures are held at a time, and PICTURES
    for each thread.
    flip: the mean of the embeddings of the image and of its mirror, taken before any normalisation.
    progress is told the size of every finished batch. InputError for an image that cannot be read, or an
    embedding that is not finite.
    """
    vectors = [np.empty((0, embedder.info.embedding_dim), np.float32)]
    # To import torch, whose threads are held back there, takes longer than a few pictures do.
    few = len(samples) <= PICTURES
    with ThreadPoolExecutor(workers or usable_cores()) if few else decoding_threads(workers) as pool:
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
    """Pictures [B, H, W, 3] uint8 RGB of consecutive samples, decoded ahead of their use, a batch by many threads."""
    size = max(1, min(batch_size, PICTURES, len(samples) // pool._max_workers))
    batches = [samples[start : start + batch_size] for start in range(0, len(samples), batch_size)]
    parts = [batch[start : start + size] for batch in batches for start in range(0, len(batch), size)]
    # While one batch is computed, the next is ready.
    ahead = decoded_ahead(parts, spec, size, pool, ready=-(-batch_size // size))
    for batch in batches:
        images = np.empty((len(batch), *spec.size, 3), np.uint8)
        for start in range(0, len(batch), size):
            images[start : start + size] = next(ahead).images[: len(batch) - start]
        yield images
