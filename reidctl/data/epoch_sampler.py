"""What all samplers share: epochs, the part of each process, and the images of each identity."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from reidctl.errors import ConfigError, InputError

Labels = Sequence[int] | NDArray[np.int64]
Pools = list[list[int]]


class EpochSampler(Sampler[int]):
    """Indices of one epoch after another, the same for the same (seed, epoch); the base of all samplers here.

    `set_epoch` before each epoch, or every epoch is the same. With num_replicas > 1 the epoch is that of one process
    with num_replicas times the batch, of which every process takes its batch_size of each step, in order of rank; all
    take the same number of steps, and what is left over is dropped. Nothing is asked of the other processes.
    len() is the exact number of indices that the epoch yields.
    """

    def __init__(self, labels: Labels, batch_size: int, seed: int, *, num_replicas: int = 1, rank: int = 0) -> None:
        if len(labels) == 0:
            raise InputError("there is no training image to sample")
        self.labels = np.asarray(labels, dtype=np.int64)
        self.batch_size, self.seed, self.epoch = batch_size, seed, 0
        self.num_replicas, self.rank = num_replicas, rank
        self._planned: list[int] | None = None

    @abstractmethod
    def plan(self) -> list[int]:
        """The indices of this epoch for all processes together."""

    def set_epoch(self, epoch: int) -> None:
        """Begin another epoch, counted from 0."""
        self.epoch, self._planned = epoch, None

    def __iter__(self) -> Iterator[int]:
        return iter(self._share())

    def __len__(self) -> int:
        return len(self._share())

    def _share(self) -> list[int]:
        # Kept, because the length of an epoch may depend on its draws and is asked for more than once.
        if self._planned is None:
            whole = self.plan()
            self._planned = whole if self.num_replicas == 1 else self._part_of_each_step(whole)
        return self._planned

    def _part_of_each_step(self, whole: list[int]) -> list[int]:
        steps = len(whole) // (self.batch_size * self.num_replicas)
        batches = np.array(whole[: steps * self.batch_size * self.num_replicas], dtype=np.int64)
        share: list[int] = batches.reshape(steps, self.num_replicas, self.batch_size)[:, self.rank].ravel().tolist()
        return share


class PooledSampler(EpochSampler):
    """What the identity samplers share: the images of each identity, and K of them to a group."""

    def __init__(
        self,
        labels: Labels,
        batch_size: int,
        images_per_identity: int,
        seed: int,
        *,
        num_replicas: int = 1,
        rank: int = 0,
    ) -> None:
        super().__init__(labels, batch_size, seed, num_replicas=num_replicas, rank=rank)
        if batch_size % images_per_identity:
            raise ConfigError(
                f"batch size {batch_size} is no multiple of {images_per_identity} images per identity",
                f"take a multiple, such as {max(1, batch_size // images_per_identity) * images_per_identity}",
            )
        self.images_per_identity = images_per_identity

    def pools(self) -> Pools:
        """Fresh lists of the indices of each identity, by ascending label."""
        order = np.argsort(self.labels, kind="stable")
        return [pool.tolist() for pool in np.split(order, np.flatnonzero(np.diff(self.labels[order])) + 1)]

    def generators(self) -> tuple[random.Random, np.random.RandomState]:
        """The two generators of this epoch."""
        return random.Random(f"{self.seed}/{self.epoch}"), np.random.RandomState([self.seed, self.epoch])
