"""The steps of an epoch, and what they report, read without making an accelerator wait."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from reidctl.data.loader import Batch
from reidctl.errors import TrainingError
from reidctl.training.freezing import only_open
from reidctl.training.interrupt import Interrupt
from reidctl.training.progress import Observer, StepInfo
from reidctl.training.run import Run
from reidctl.training.schedules import lr_at
from reidctl.training.state import Progress

Item = TypeVar("Item")
SHOWN = 8
"""Images that an error names."""


class Reading:
    """Numbers on their way from the device; reading them waits for the step that computes them, for no later one."""

    def __init__(self, values: Tensor) -> None:
        self._values = values.to("cpu", non_blocking=True)
        self._arrived = torch.cuda.Event() if values.is_cuda else None  # type: ignore[no-untyped-call]
        if self._arrived:
            self._arrived.record()

    def numbers(self) -> list[float]:
        """The values as Python numbers."""
        if self._arrived:
            self._arrived.synchronize()
        found: list[float] = self._values.tolist()
        return found


@dataclass(frozen=True, slots=True)
class Taken:
    """A step that was taken: epoch and step from 0, and its numbers, perhaps still on their way."""

    epoch: int
    step: int
    steps: int
    batch: Batch
    reading: Reading


def take_steps(run: Run, progress: Progress, observer: Observer) -> bool:
    """Take the steps that are left of the epoch; True when Ctrl-C ended it early."""
    started = time.perf_counter()
    with Interrupt() as interrupt, closing(steps(run, progress, interrupt)) as under_way:
        for taken in one_behind(under_way):
            numbers = taken.reading.numbers()
            progress.add(numbers)
            observer.on_step(report(run, taken, numbers))
    progress.seconds += time.perf_counter() - started
    return interrupt.wanted


def steps(run: Run, progress: Progress, interrupt: Interrupt) -> Generator[Taken]:
    """Take one step after the other until the epoch is over or interrupted."""
    epoch, count = progress.epoch, run.batches.steps(progress.epoch)
    with _stage(run, epoch):
        for batch, waited in timed(run.batches.epoch(epoch, first=progress.step)):
            taken = Taken(epoch, progress.step, count, batch, Reading(run.step(batch, epoch, progress.step, count)))
            progress.step += 1
            progress.waited += waited
            yield taken
            if interrupt.wanted:
                return


def report(run: Run, taken: Taken, numbers: Sequence[float]) -> StepInfo:
    """A step in the words of an observer; TrainingError when one of its losses is not finite."""
    total, losses, top1 = named(run, numbers)
    if not math.isfinite(total):
        broken = next((name for name, value in losses.items() if not math.isfinite(value)), "total")
        names = [run.data.train[index].name for index in taken.batch.indices]
        images = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
        place, value = f"epoch {taken.epoch + 1}, step {taken.step + 1}", losses.get(broken, total)
        raise TrainingError(
            f"{place}: loss '{broken}' is {value} on images {images}",
            "lower train.lr, or set train.clip_norm or train.warmup_epochs; the weights of the epoch before are kept",
        )
    rate = lr_at(run.config.train, taken.epoch, taken.step, taken.steps)
    return StepInfo(taken.epoch + 1, taken.step + 1, taken.steps, rate, total, losses, top1)


def named(run: Run, numbers: Sequence[float]) -> tuple[float, dict[str, float], float | None]:
    """What `Run.step` returns, as total, losses by name, and top-1 (None where no loss classifies)."""
    total, *losses, top1 = numbers
    return total, dict(zip(run.loss_names, losses, strict=True)), None if math.isnan(top1) else top1


def one_behind(items: Iterator[Item]) -> Iterator[Item]:
    """Each item once the next one is there, so that reading its numbers leaves the device something to do."""
    held: list[Item] = []
    for item in items:
        yield from held
        held = [item]
    yield from held


def timed(items: Iterator[Item]) -> Iterator[tuple[Item, float]]:
    """Each item and the seconds it was waited for."""
    started = time.perf_counter()
    for item in items:
        yield item, time.perf_counter() - started
        started = time.perf_counter()


def _stage(run: Run, epoch: int) -> AbstractContextManager[None]:
    first = epoch < run.config.train.fixbase_epochs
    return only_open(run.model, run.config.train.open_layers) if first else nullcontext()
