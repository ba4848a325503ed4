"""Batches to train on: read, augmented and stacked by worker processes, normalised on the device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from reidctl.config.schema import DataConfig
from reidctl.data.cache import Files, ImageCache
from reidctl.data.draws import Draw
from reidctl.data.epoch_sampler import EpochSampler
from reidctl.data.reading import AugmentedImages, BatchReader, Transform
from reidctl.data.samplers import build_sampler
from reidctl.errors import InputError
from reidctl.processor import usable_cores
from reidctl.registry import transforms as registered
from reidctl.types import ImageSpec, ReidData, Sample, Spec

FEWEST, MOST = 2, 16
"""Processes that read where nobody says how many."""


class Batch(NamedTuple):
    """images [B, 3, H, W] uint8 RGB, labels [B] int64; indices[i] is the training sample that row i shows."""

    images: Tensor
    labels: Tensor
    indices: list[int]


def normalize(images: Tensor, spec: ImageSpec) -> Tensor:
    """images [B, 3, H, W] uint8 RGB -> (x / 255 - mean) / std, float32 on the same device in the same memory format."""
    scale, shift = _scale_shift(spec, images.device)
    return torch.addcmul(shift, images.float(), scale)


@lru_cache
def _scale_shift(spec: ImageSpec, device: torch.device) -> tuple[Tensor, Tensor]:
    """1 / (255 std) and -mean / std, each [3, 1, 1]; kept, because copying them to an accelerator takes time."""
    with torch.inference_mode(False):
        mean, std = (torch.tensor(values, dtype=torch.float64).view(3, 1, 1) for values in (spec.mean, spec.std))
        return (1 / (255 * std)).float().to(device), (-mean / std).float().to(device)


class TrainBatches:
    """The batches of every epoch.

    What an epoch holds depends on the seed and the epoch's number alone: not on the number of workers, nor on what
    was drawn before. Each place in an epoch has its own augmentation, also where an image is drawn twice.
    A rest that fills no batch is left out. Of several processes (`sampler.num_replicas`) each gets its share of every
    batch, the same images that one alone would see there.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        transforms: Sequence[Transform],
        sampler: EpochSampler,
        *,
        workers: int = 0,
        pin_memory: bool = False,
        cache: ImageCache | None = None,
    ) -> None:
        self._names, self._transforms, self._sampler = [sample.name for sample in samples], transforms, sampler
        self._labels = torch.tensor([sample.identity for sample in samples])
        self._images = AugmentedImages(Files(samples), self._names, transforms, sampler.seed)
        self._workers, self._pin_memory, self._cache = workers, pin_memory, cache
        self._reader: BatchReader | None = None
        self._stream: Iterator[tuple[list[Draw], Tensor]] = iter(())
        self._next: tuple[int, int] | None = None

    def steps(self, epoch: int) -> int:
        """The number of batches of `epoch`, from 0."""
        return _steps(self._sampler, epoch)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The batches of `epoch` from number `first`; those before it are not read.

        The workers go on to the next epoch meanwhile. Raises the ReidError of the first image that cannot be read or
        augmented, whichever process met it.
        """
        steps = self.steps(epoch)
        for step in range(first, steps):
            if self._next != (epoch, step):
                self._stream = self._open().read(_onward(self._sampler, epoch, step))
            self._next = None
            draws, images = next(self._stream)
            self._next = (epoch, step + 1) if step + 1 < steps else (epoch + 1, 0)
            indices = [draw.sample for draw in draws]
            yield Batch(images.permute(0, 3, 1, 2), self._labels[indices], indices)

    def draws(self, epoch: int) -> list[Draw]:
        """What `epoch` shows, batch after batch."""
        return _draws(self._sampler, epoch)

    def image(self, draw: Draw) -> np.ndarray:
        """The augmented image [H, W, 3] uint8 RGB of one draw, as its batch holds it; read and made in this process."""
        return self._images.image(draw)

    def close(self) -> None:
        """End the worker processes; the next epoch would start new ones."""
        self._stream, self._next = iter(()), None
        if self._reader:
            self._reader.close()

    def _open(self) -> BatchReader:
        if self._reader is None:
            images = self._images
            if self._cache:
                rest = self._transforms[self._cache.applied :]
                images = AugmentedImages(self._cache.open(), self._names, rest, self._sampler.seed)
            self._reader = BatchReader(images, workers=self._workers, pin_memory=self._pin_memory)
        return self._reader


# Functions, because what reads ahead must not keep the batches alive, which end its processes with them.
def _steps(sampler: EpochSampler, epoch: int) -> int:
    if sampler.epoch != epoch:
        sampler.set_epoch(epoch)
    return len(sampler) // sampler.batch_size


def _draws(sampler: EpochSampler, epoch: int) -> list[Draw]:
    size, share, rank = sampler.batch_size, sampler.num_replicas, sampler.rank
    seen = _steps(sampler, epoch) * size
    places = ((own // size * share + rank) * size + own % size for own in range(seen))
    return [Draw(epoch, place, sample) for place, sample in zip(places, sampler, strict=False)]


def _onward(sampler: EpochSampler, epoch: int, first: int) -> Iterator[list[Draw]]:
    """What the batches show, epoch after epoch, from batch `first` of `epoch` on."""
    size = sampler.batch_size
    while draws := _draws(sampler, epoch):
        yield from (draws[start : start + size] for start in range(first * size, len(draws), size))
        epoch, first = epoch + 1, 0


def train_batches(
    data: ReidData,
    config: DataConfig,
    *,
    batch_size: int,
    seed: int,
    gpu: bool = False,
    beside: int = 0,
    num_replicas: int = 1,
    rank: int = 0,
) -> TrainBatches:
    """The batches of `data.train` that `config` asks for.

    batch_size: of one process; gpu: whether one takes them; beside: other processes of the run on this machine;
    num_replicas, rank: the processes that train together, and which of them this is.
    Raises InputError when the images, or the identities they show, do not fill one batch.
    """
    sampler = build_sampler(
        config.sampler,
        [sample.identity for sample in data.train],
        batch_size,
        config.images_per_identity,
        seed,
        num_replicas=num_replicas,
        rank=rank,
        cameras=[sample.camera for sample in data.train],
        sources=np.repeat(np.arange(len(data.train_sources)), data.train_sources),
    )
    transforms = build_transforms(config.transforms, config.image, data.train)
    cache = build_cache(config, data.train, transforms)
    workers = _workers(gpu, beside) if config.workers == "auto" else config.workers
    batches = TrainBatches(data.train, transforms, sampler, workers=workers, pin_memory=gpu, cache=cache)
    if not batches.steps(0):
        raise InputError(
            f"data set '{data.name}': its {len(data.train)} training images do not fill a batch of "
            f"{batch_size * num_replicas}",
            "lower train.batch_size",
        )
    return batches


def _workers(gpu: bool, beside: int) -> int:
    """Two read more than a CPU trains on; a GPU takes what the other cores read, each of its processes its share."""
    share = usable_cores() // (beside + 1) - 1
    return min(max(share, FEWEST), MOST) if gpu else FEWEST


def build_transforms(specs: Sequence[Spec], image: ImageSpec, samples: Sequence[Sample]) -> list[Transform]:
    """The augmentations in order; `resize` comes first where it is not listed.

    They may ask for `image_size` and for `samples`, all that is trained on.
    """
    listed = [(f"data.transforms.{index}", spec) for index, spec in enumerate(specs)]
    if not any(_is_resize(spec) for spec in specs):
        listed.insert(0, ("data.transforms", Spec(name="reidctl:resize")))
    return [registered.build(spec, at=at, image_size=image.size, samples=samples) for at, spec in listed]


def build_cache(config: DataConfig, samples: Sequence[Sample], transforms: Sequence[Transform]) -> ImageCache | None:
    """The cache that `config` asks for, not yet filled: of images resized where that comes first, else as decoded."""
    if config.cache == "none":
        return None
    specs = config.transforms
    # Ours alone, of which it is known that it draws nothing.
    first = specs[0].name in ("resize", "reidctl:resize") or not any(_is_resize(spec) for spec in specs)
    return ImageCache(samples, transforms[: int(first)], config.cache_dir if config.cache == "disk" else None)


def _is_resize(spec: Spec) -> bool:
    return spec.name.rpartition(":")[2] == "resize"
