"""The network that another one learns from: any artefact, whatever computes it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from reidctl.artefacts import locate, runtime_for
from reidctl.config.teacher import TeacherConfig
from reidctl.data.loader import Batch
from reidctl.errors import InputError, ReidError
from reidctl.registry import runtimes
from reidctl.retrieval.embedding import embed
from reidctl.training.device import lacks_memory
from reidctl.training.processes import ALONE, Processes
from reidctl.types import Embedder, Sample

if TYPE_CHECKING:
    from pathlib import Path

    from reidctl.types import Float32, UInt8

logger = logging.getLogger(__name__)

BATCH = 64
"""Clean images that are embedded at once."""


class Teacher:
    """The embeddings of a trained network for training images.

    `augmented`: of the images of each batch as they are, resized where the teacher takes another size. `clean`: of the
    training images as a test would read them; `prepare` makes them all, before it each is made when it is asked for.
    Raises InputError where the file is missing, opens in no runtime, or the teacher fails later.
    """

    def __init__(self, config: TeacherConfig, samples: Sequence[Sample]) -> None:
        file = locate(config.model)
        self._config, self._samples, self._name = config, samples, str(config.model)
        self._embedder = _Watched(_open(file, config), self._name)
        self._all: Tensor | None = None
        self.embedding_dim = self._embedder.info.embedding_dim

    def prepare(self, processes: Processes = ALONE, progress: Callable[[int, int], None] | None = None) -> None:
        """Embed all training images, where clean ones are wanted; several processes share the work.

        progress is told how many of its share this process has embedded, and of how many.
        """
        if self._config.images != "clean" or self._all is not None:
            return
        started, count = time.perf_counter(), len(self._samples)
        share, done = self._samples[processes.part(count, BATCH)], 0

        def tell(more: int) -> None:
            nonlocal done
            done += more
            if progress:
                progress(done, len(share))

        own = self._clean(share, tell)
        self._all = torch.from_numpy(processes.joined(own, count, BATCH))
        seconds = time.perf_counter() - started
        logger.info("teacher %s: %d images embedded in %.0f s", self._name, count, seconds)

    def __call__(self, batch: Batch) -> Tensor:
        """The embeddings [B, T] float32 on the CPU, of the images that `batch` shows."""
        if self._all is not None:
            return self._all[batch.indices]
        if self._config.images == "clean":
            return torch.from_numpy(self._clean([self._samples[index] for index in batch.indices]))
        found = self._embedder.embed_batch(self._resized(batch.images))
        broken = ~np.isfinite(found).all(axis=1)
        if broken.any():
            name = self._samples[batch.indices[int(broken.argmax())]].name
            raise InputError(f"teacher {self._name}: its embedding of '{name}' is not finite")
        return torch.from_numpy(found)

    def _clean(self, samples: Sequence[Sample], progress: Callable[[int], None] | None = None) -> Float32:
        return embed(self._embedder, samples, batch_size=BATCH, progress=progress).vectors

    def _resized(self, images: Tensor) -> UInt8:
        """[B, 3, H, W] uint8 -> [B, H, W, 3] uint8 of the size that the teacher takes."""
        size = self._embedder.info.image.size
        if tuple(images.shape[2:]) != size:
            images = functional.interpolate(images, size, mode="bilinear", antialias=True)
        pixels: UInt8 = images.permute(0, 2, 3, 1).contiguous().numpy()
        return pixels


class _Watched:
    """An embedder whose failures are errors that name it."""

    def __init__(self, embedder: Embedder, name: str) -> None:
        self.info = embedder.info
        self._embedder, self._name = embedder, name

    def embed_batch(self, images: UInt8) -> Float32:
        try:
            return self._embedder.embed_batch(images)
        except ReidError:
            raise
        except Exception as error:
            if lacks_memory(error):
                raise
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            hint = "`reidctl eval` with this model shows whether it works on its own"
            raise InputError(f"teacher {self._name} failed: {reason}", hint) from error


def _open(file: Path | str, config: TeacherConfig) -> Embedder:
    if isinstance(file, str):
        raise InputError(
            f"train.teacher.model: '{file}' is a preset, which has learned nothing", "give a trained model"
        )
    opened: Embedder = runtimes.build(runtime_for(file), path=file, device=config.device, precision=config.precision)
    return opened
