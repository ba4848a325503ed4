"""Batches to train on: read, augmented and stacked by worker processes, normalised on the device."""

from __future__ import annotations

import hashlib
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from reidctl.config.schema import DataConfig
from reidctl.data.images import read_image
from reidctl.data.samplers import EpochSampler, build_sampler
from reidctl.errors import InputError, PluginError, ReidError
from reidctl.registry import transforms as registered
from reidctl.types import ImageSpec, ReidData, Sample, Spec

Transform = Callable[[Image.Image], Image.Image]


class Batch(NamedTuple):
    """images [B, 3, H, W] uint8 RGB, labels [B] int64; indices[i] is the training sample that row i shows."""

    images: Tensor
    labels: Tensor
    indices: list[int]


class Draw(NamedTuple):
    """One place of an epoch's order and the training sample that stands there."""

    epoch: int
    place: int
    sample: int


def derived_seed(seed: int, *purpose: str | int) -> int:
    """A seed of 32 bits, more than which torch's generator does not use, that differs for every purpose."""
    text = "/".join(map(str, (seed, *purpose))).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "little")


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
    A rest that fills no batch is left out.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        transforms: Sequence[Transform],
        sampler: EpochSampler,
        *,
        workers: int = 0,
        pin_memory: bool = False,
    ) -> None:
        self._images = _Images(samples, transforms, sampler.seed)
        self._sampler = sampler
        self._workers, self._pin_memory = workers, pin_memory
        self._draws: list[list[Draw]] = []
        self._loader: DataLoader[Batch | ReidError] | None = None

    def steps(self, epoch: int) -> int:
        """The number of batches of `epoch`, from 0."""
        if self._sampler.epoch != epoch:
            self._sampler.set_epoch(epoch)
        return len(self._sampler) // self._sampler.batch_size

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The batches of `epoch` from number `first`; those before it are not read.

        Raises the ReidError of the first image that cannot be read or augmented, whichever process met it.
        """
        size, draws = self._sampler.batch_size, self.draws(epoch)
        self._draws[:] = [draws[start : start + size] for start in range(first * size, len(draws), size)]
        for batch in self._open():
            if isinstance(batch, ReidError):
                self.close()
                raise batch
            yield batch

    def draws(self, epoch: int) -> list[Draw]:
        """What `epoch` shows, batch after batch."""
        seen = self.steps(epoch) * self._sampler.batch_size
        return [Draw(epoch, place, sample) for place, sample in zip(range(seen), self._sampler, strict=False)]

    def image(self, draw: Draw) -> np.ndarray:
        """The augmented image [H, W, 3] uint8 RGB of one draw, as its batch holds it; read and made in this process."""
        return self._images.image(draw)

    def close(self) -> None:
        """End the worker processes; the next epoch would start new ones.

        Left to the garbage collector they end, too, but may take ten seconds over it.
        """
        self._loader = None

    def _open(self) -> DataLoader[Batch | ReidError]:
        if self._loader is None:
            self._loader = DataLoader(
                self._images,
                batch_size=None,
                sampler=_Left(self._draws),
                num_workers=self._workers,
                collate_fn=_unchanged,
                pin_memory=self._pin_memory,
                persistent_workers=self._workers > 0,
                worker_init_fn=_ignore_interrupt,
            )
        return self._loader


def train_batches(
    data: ReidData, config: DataConfig, *, batch_size: int, seed: int, pin_memory: bool = False
) -> TrainBatches:
    """The batches of `data.train` that `config` asks for.

    Raises InputError when the images, or the identities they show, do not fill one batch.
    """
    labels = [sample.identity for sample in data.train]
    sampler = build_sampler(config.sampler, labels, batch_size, config.images_per_identity, seed)
    transforms = build_transforms(config.transforms, config.image, data.train)
    batches = TrainBatches(data.train, transforms, sampler, workers=config.workers, pin_memory=pin_memory)
    if not batches.steps(0):
        raise InputError(
            f"data set '{data.name}': its {len(data.train)} training images do not fill a batch of {batch_size}",
            "lower train.batch_size",
        )
    return batches


def build_transforms(specs: Sequence[Spec], image: ImageSpec, samples: Sequence[Sample]) -> list[Transform]:
    """The augmentations in order; `resize` comes first where it is not listed.

    They may ask for `image_size` and for `samples`, all that is trained on.
    """
    listed = [(f"data.transforms.{index}", spec) for index, spec in enumerate(specs)]
    if not any(spec.name.rpartition(":")[2] == "resize" for spec in specs):
        listed.insert(0, ("data.transforms", Spec(name="resize")))
    return [registered.build(spec, at=at, image_size=image.size, samples=samples) for at, spec in listed]


class _Left(Sampler[list[Draw]]):
    """What is left of the current epoch: a list that changes, because the loader and its workers outlive the epochs."""

    def __init__(self, draws: list[list[Draw]]) -> None:
        self._draws = draws

    def __iter__(self) -> Iterator[list[Draw]]:
        return iter(self._draws)

    def __len__(self) -> int:
        return len(self._draws)


class _Images(Dataset[Batch | ReidError]):
    """A list of draws -> their batch, or the error that one of them caused.

    An error is returned, not raised: raised in a worker it would reach the caller as text with a traceback.
    """

    def __init__(self, samples: Sequence[Sample], transforms: Sequence[Transform], seed: int) -> None:
        self._samples, self._transforms, self._seed = samples, transforms, seed

    def __getitem__(self, draws: list[Draw]) -> Batch | ReidError:
        try:
            with _own_generator():
                return self._batch(draws)
        except ReidError as error:
            return error

    def image(self, draw: Draw) -> np.ndarray:
        with _own_generator():
            return self._image(draw)

    def _batch(self, draws: list[Draw]) -> Batch:
        images = torch.from_numpy(np.stack([self._image(draw) for draw in draws]))  # [B, H, W, 3]
        labels = torch.tensor([self._samples[draw.sample].identity for draw in draws])
        return Batch(images.permute(0, 3, 1, 2), labels, [draw.sample for draw in draws])

    def _image(self, draw: Draw) -> np.ndarray:
        sample = self._samples[draw.sample]
        picture = read_image(sample.image)
        # The generator itself: torch.manual_seed also visits every accelerator, 70 times the cost.
        torch.default_generator.manual_seed(derived_seed(self._seed, "image", draw.epoch, draw.place))
        for transform in self._transforms:
            try:
                picture = transform(picture)
            except ReidError:
                raise
            except Exception as cause:
                name, reason = type(transform).__name__, f"{type(cause).__name__}: {cause}"
                raise PluginError(f"transform {name} failed on '{sample.name}': {reason}") from cause
        return np.asarray(picture)


@contextmanager
def _own_generator() -> Iterator[None]:
    """Leave torch's generator as it was found."""
    state = torch.get_rng_state()
    try:
        yield
    finally:
        torch.set_rng_state(state)


def _unchanged(batch: Any) -> Any:
    return batch


def _ignore_interrupt(worker: int) -> None:
    # Ctrl-C goes to every process of the terminal; the step under way still needs its batches.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
