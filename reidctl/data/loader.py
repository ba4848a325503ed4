"""Batches to train on: read, augmented and stacked by worker processes, normalised on the device."""

from __future__ import annotations

import hashlib
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from reidctl.config.schema import DataConfig
from reidctl.data.images import read_image
from reidctl.errors import InputError, PluginError, ReidError
from reidctl.registry import transforms as registered
from reidctl.types import ImageSpec, ReidData, Sample, Spec

Transform = Callable[[Image.Image], Image.Image]
Order = Callable[[int], Sequence[int]]
"""Epoch, from 0 -> indices of the training samples in the order in which they are trained on."""


class Batch(NamedTuple):
    """images [B, 3, H, W] uint8 RGB, labels [B] int64; indices[i] is the training sample that row i shows."""

    images: Tensor
    labels: Tensor
    indices: list[int]


class Draw(NamedTuple):
    """One place of an epoch's order and the training sample that stands there."""

    epoch: int
    place: int
    index: int


def draw_seed(seed: int, *place: int) -> int:
    """A 32-bit seed (torch's generator uses no more) that differs for every place: epoch and step, say."""
    text = ",".join(map(str, (seed, *place))).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "little")


def normalize(images: Tensor, spec: ImageSpec) -> Tensor:
    """images [B, 3, H, W] uint8 RGB -> (x / 255 - mean) / std, float32 on the same device in the same memory format."""
    mean = torch.tensor(spec.mean, device=images.device).view(3, 1, 1)
    std = torch.tensor(spec.std, device=images.device).view(3, 1, 1)
    return images.float().sub_(mean * 255).div_(std * 255)


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
        order: Order,
        *,
        batch_size: int,
        seed: int,
        workers: int,
        pin_memory: bool = False,
    ) -> None:
        self._order, self._batch_size = order, batch_size
        self._draws: list[list[Draw]] = []
        self._loader = DataLoader(
            _Images(samples, transforms, seed),
            batch_size=None,
            sampler=_Rest(self._draws),
            num_workers=workers,
            collate_fn=_unchanged,
            pin_memory=pin_memory,
            persistent_workers=workers > 0,
            worker_init_fn=_ignore_interrupt,
        )

    def steps(self, epoch: int) -> int:
        """The number of batches of `epoch`, from 0."""
        return len(self._order(epoch)) // self._batch_size

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The batches of `epoch`, those before `first` skipped unread.

        Raises the ReidError of the first image that cannot be read or augmented, whichever process met it.
        """
        draws = [Draw(epoch, place, index) for place, index in enumerate(self._order(epoch))]
        ends = range(self._batch_size, len(draws) + 1, self._batch_size)
        self._draws[:] = [draws[end - self._batch_size : end] for end in ends][first:]
        for batch in self._loader:
            if isinstance(batch, ReidError):
                raise batch
            yield batch


def train_batches(data: ReidData, config: DataConfig, *, batch_size: int, seed: int, pin_memory: bool = False) -> TrainBatches:
    """The batches that `config` asks for.

    Raises InputError when `data` holds too few images or identities for one batch.
    """
    raise NotImplementedError


def build_transforms(specs: Sequence[Spec], image: ImageSpec) -> list[Transform]:
    """The augmentations in order, ending in pictures of `image.size`; `resize` comes first where none is listed."""
    listed = [(f"data.transforms.{index}", spec) for index, spec in enumerate(specs)]
    if not any(spec.name.rpartition(":")[2] == "resize" for spec in specs):
        listed.insert(0, ("data.transforms", Spec(name="resize")))
    return [registered.build(spec, at=at, image_size=image.size) for at, spec in listed]


class _Rest(Sampler[list[Draw]]):
    """What is left of the current epoch; a view, because the loader's own workers outlive the epochs."""

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
        state = torch.get_rng_state()
        try:
            return self._batch(draws)
        except ReidError as error:
            return error
        finally:
            torch.set_rng_state(state)

    def _batch(self, draws: list[Draw]) -> Batch:
        images = torch.from_numpy(np.stack([self._image(draw) for draw in draws]))  # [B, H, W, 3]
        labels = torch.tensor([self._samples[draw.index].identity for draw in draws])
        return Batch(images.permute(0, 3, 1, 2), labels, [draw.index for draw in draws])

    def _image(self, draw: Draw) -> np.ndarray:
        sample = self._samples[draw.index]
        picture = read_image(sample.image)
        # The generator itself: torch.manual_seed also visits every accelerator, 70 times the cost.
        torch.default_generator.manual_seed(draw_seed(self._seed, draw.epoch, draw.place))
        for transform in self._transforms:
            try:
                picture = transform(picture)
            except ReidError:
                raise
            except Exception as cause:
                name = type(transform).__name__
                raise PluginError(
                    f"transform {name} failed on '{sample.name}': {type(cause).__name__}: {cause}", "--debug shows the traceback"
                ) from cause
        return np.asarray(picture)


def _unchanged(batch: Batch | ReidError) -> Batch | ReidError:
    return batch


def _ignore_interrupt(worker: int) -> None:
    # Ctrl-C goes to every process of the terminal; the step under way still needs its batches.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
