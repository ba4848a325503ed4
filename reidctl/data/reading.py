"""Batches of augmented images, made in this process or by workers that write them into shared memory."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from reidctl.data.draws import Draw, derived_seed
from reidctl.errors import ConfigError, InputError, PluginError, ReidError
from reidctl.registry import transforms

Pixels = NDArray[np.uint8]
Transform = Callable[[Image.Image], Image.Image]
Task = tuple[int, int, list[Draw]]
"""Where a worker writes images, a slot and its row from which on, and which."""

PART = 64
"""Images that a worker makes at a time, at most."""

AHEAD = 2
"""Parts that each worker may be ahead of the one that is asked for."""


class AugmentedImages:
    """The image of every draw: the picture of its sample, through the transforms, with randomness of its own.

    pictures: index of a sample -> its picture; names: what errors call the samples.
    """

    def __init__(
        self, pictures: Callable[[int], Image.Image], names: Sequence[str], transforms: Sequence[Transform], seed: int
    ) -> None:
        self._pictures, self._names, self._transforms, self._seed = pictures, names, transforms, seed

    def image(self, draw: Draw) -> Pixels:
        """[H, W, 3] uint8 RGB; torch's generator is left as it was found."""
        with _own_generator():
            return self._image(draw)

    def fill(self, draws: Sequence[Draw], batch: Pixels) -> None:
        """Write the image of each draw into its row of `batch` [B, H, W, 3]; the generator as above."""
        with _own_generator():
            for draw, row in zip(draws, batch, strict=True):
                image = self._image(draw)
                if image.shape != row.shape:
                    sizes = " and ".join(f"{shape[0]} × {shape[1]}" for shape in (row.shape, image.shape))
                    raise ConfigError(
                        f"data.transforms: images of one batch are {sizes} pixels ('{self._names[draw.sample]}')",
                        "put `resize` after what changes the size",
                    )
                row[:] = image

    def _image(self, draw: Draw) -> Pixels:
        picture = self._pictures(draw.sample)
        # The generator itself: torch.manual_seed also visits every accelerator, 70 times the cost.
        torch.default_generator.manual_seed(derived_seed(self._seed, "image", draw.epoch, draw.place))
        for transform in self._transforms:
            try:
                picture = transform(picture)
            except ReidError:
                raise
            except Exception as cause:
                part, reason = transforms.maker(transform), f"{type(cause).__name__}: {cause}"
                raise PluginError(f"{part} failed on '{self._names[draw.sample]}': {reason}") from cause
            if not (isinstance(picture, Image.Image) and picture.mode == "RGB"):
                made = getattr(picture, "mode", type(picture).__name__)
                raise PluginError(
                    f"{transforms.maker(transform)} makes no RGB picture of '{self._names[draw.sample]}' but {made}",
                    "`reidctl plugins check NAME` says more",
                )
        return np.asarray(picture)


class BatchReader:
    """Reads batches of one size with worker processes, which outlive what they read, or without (workers = 0).

    The workers write into slots of memory that is shared with them from the start: to share each batch by itself, as
    torch does, takes a fifth of all the time, because the system clears its pages and maps them twice. Several of them
    make a large batch, so that a small data set, which has few such batches, keeps all of them busy.
    """

    def __init__(self, images: AugmentedImages, *, workers: int = 0, pin_memory: bool = False) -> None:
        self._images, self._workers, self._pin_memory = images, workers, pin_memory
        self._slots = torch.empty(0)
        self._left = _Left()
        self._loader: DataLoader[ReidError | None] | None = None

    def read(self, batches: Iterable[list[Draw]]) -> Iterator[tuple[list[Draw], Tensor]]:
        """Each batch and its images [B, H, W, 3] uint8, in order; what was read before may be left unfinished.

        The workers are ahead of what is asked for. Raises the ReidError of the first image that cannot be read or
        augmented, whichever process met it, where its batch is asked for.
        """
        batches = iter(batches)
        first = next(batches, None)
        if first is None:
            return
        read = self._read_ahead if self._workers else self._read_here
        yield from read(chain([first], batches), self._shape(first))

    def close(self) -> None:
        """End the worker processes, once nothing of `read` is kept; the next batch would start new ones.

        Left to the garbage collector they end, too, but may take ten seconds over it.
        """
        self._loader = None

    def _read_here(self, batches: Iterator[list[Draw]], shape: Sequence[int]) -> Iterator[tuple[list[Draw], Tensor]]:
        for draws in batches:
            batch = self._empty(shape)
            self._images.fill(draws, batch.numpy())
            yield draws, batch

    def _read_ahead(self, batches: Iterator[list[Draw]], shape: Sequence[int]) -> Iterator[tuple[list[Draw], Tensor]]:
        parts = -(-shape[0] // PART)
        loader = self._open(shape, parts)
        begun: deque[tuple[list[Draw], int]] = deque()
        self._left.tasks = _tasks(batches, len(self._slots), begun)
        done = iter(loader)
        while errors := list(islice(done, parts)):
            draws, slot = begun.popleft()
            if error := next(filter(None, errors), None):
                # The error's traceback would keep them, and with them the workers.
                del loader, done
                self.close()
                raise error
            yield draws, self._empty(shape).copy_(self._slots[slot])

    def _open(self, shape: Sequence[int], parts: int) -> DataLoader[ReidError | None]:
        if self._loader is None:
            # Those of parts that are under way, and the one that is copied before another part is given out.
            self._slots = _shared((-(-AHEAD * self._workers // parts) + 1, *shape), self._workers)
            self._loader = DataLoader(
                _Filling(self._images, self._slots),
                batch_size=None,
                sampler=self._left,
                num_workers=self._workers,
                prefetch_factor=AHEAD,
                collate_fn=_unchanged,
                persistent_workers=True,
                worker_init_fn=_ignore_interrupt,
            )
        return self._loader

    def _shape(self, batch: list[Draw]) -> tuple[int, ...]:
        return len(batch), *self._images.image(batch[0]).shape

    def _empty(self, shape: Sequence[int]) -> Tensor:
        return torch.empty(tuple(shape), dtype=torch.uint8, pin_memory=self._pin_memory)


def _tasks(batches: Iterator[list[Draw]], slots: int, begun: deque[tuple[list[Draw], int]]) -> Iterator[Task]:
    """What the workers do for `batches`; each batch and its slot go to `begun` before its first task."""
    for number, draws in enumerate(batches):
        slot = number % slots
        begun.append((draws, slot))
        for start in range(0, len(draws), PART):
            yield slot, start, draws[start : start + PART]


class _Left(Sampler[Task]):
    """What is left to read: tasks that are replaced, because the loader and its workers outlive them."""

    tasks: Iterator[Task] = iter(())

    def __iter__(self) -> Iterator[Task]:
        return self.tasks


class _Filling(Dataset["ReidError | None"]):
    """A task -> None once its images stand in their rows of that slot, or the error that one of them caused.

    An error is returned, not raised: raised in a worker it would reach the caller as text with a traceback.
    """

    def __init__(self, images: AugmentedImages, slots: Tensor) -> None:
        self._images, self._slots = images, slots

    def __getitem__(self, task: Task) -> ReidError | None:
        slot, start, draws = task
        try:
            self._images.fill(draws, self._slots[slot, start : start + len(draws)].numpy())
        except ReidError as error:
            return error
        return None


@contextmanager
def _own_generator() -> Iterator[None]:
    """Leave torch's generator as it was found."""
    state = torch.get_rng_state()
    try:
        yield
    finally:
        torch.set_rng_state(state)


def _shared(shape: tuple[int, ...], workers: int) -> Tensor:
    try:
        slots = torch.empty(shape, dtype=torch.uint8)
        slots.share_memory_()  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        size = int(np.prod(shape)) >> 20
        raise InputError(
            f"no {size:,} MiB of shared memory for the batches of {workers} processes: {error}",
            "lower data.workers, or give the container more with --shm-size",
        ) from error
    return slots


def _unchanged(result: Any) -> Any:
    return result


def _ignore_interrupt(worker: int) -> None:
    # Ctrl-C goes to every process of the terminal; the step under way still needs its batches.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
