"""The steps of an epoch, and what they report, read without making an accelerator wait."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from reidctl.data.loader import Batch
from reidctl.errors import TrainingError, few
from reidctl.training.freezing import only_open
from reidctl.training.interrupt import Interrupt
from reidctl.training.progress import Observer, StepInfo
from reidctl.training.run import Run
from reidctl.training.schedules import lr_at
from reidctl.training.state import REMEDY, Progress

logger = logging.getLogger(__name__)

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
    """A step that was taken: epoch and step from 0, the images it saw, and its numbers, perhaps still on their way.

    saved: no later step is taken before these numbers are known, because the state is to be saved with them.
    """

    epoch: int
    step: int
    steps: int
    lr: float
    images: list[int]
    saved: bool
    reading: Reading


def take_steps(run: Run, progress: Progress, observer: Observer, save: Callable[[], None]) -> bool:
    """Take the steps that are left of the epoch, calling `save` where one is due; True when Ctrl-C ended it early."""
    started = time.perf_counter()
    with Interrupt() as interrupt, closing(steps(run, progress, interrupt)) as under_way:
        for taken in one_behind(under_way):
            numbers = taken.reading.numbers()
            info = report(run, taken, numbers)
            progress.add(numbers)
            now = time.perf_counter()
            progress.seconds, started = progress.seconds + now - started, now
            if taken.saved:
                save()
            observer.on_step(info)
    return run.processes.any(interrupt.wanted)[0]


def steps(run: Run, progress: Progress, interrupt: Interrupt) -> Generator[Taken]:
    """Take one step after the other until the epoch is over or interrupted."""
    epoch, count, config = progress.epoch, run.steps(progress.epoch), run.config.train
    last_save, due = time.monotonic(), False
    with _stage(run, epoch):
        batches = run.batches.epoch(epoch, first=progress.step * config.accumulate)
        for group, waited in timed(grouped(batches, config.accumulate)):
            rate = lr_at(config, epoch, progress.step, count) * progress.lr_factor
            reading = Reading(run.step(group, epoch, progress.step, count, rate))
            images = [index for batch in group for index in batch.indices]
            taken = Taken(epoch, progress.step, count, rate, images, due, reading)
            progress.step += 1
            progress.waited += waited
            yield taken
            if due:
                last_save = time.monotonic()
            waits = 0 < config.save_minutes <= (time.monotonic() - last_save) / 60
            # Agreed on, because processes of which one alone stopped here would wait for each other.
            stop, due = run.processes.any(interrupt.wanted, waits)
            if stop:
                return


def report(run: Run, taken: Taken, numbers: Sequence[float]) -> StepInfo:
    """A step in the words of an observer; TrainingError when one of its losses is not finite."""
    total, losses, top1 = named(run, numbers)
    if not math.isfinite(total):
        broken = next((name for name, value in losses.items() if not math.isfinite(value)), "total")
        samples = [run.data.train[index] for index in taken.images]
        names = [str(sample.image) if isinstance(sample.image, Path) else sample.name for sample in samples]
        logger.info("step %s of epoch %s saw %s", taken.step + 1, taken.epoch + 1, ", ".join(names))
        place, value = f"epoch {taken.epoch + 1}, step {taken.step + 1}", losses.get(broken, total)
        whose = f" (the share of process {run.processes.rank})" if run.processes.size > 1 else ""
        raise TrainingError(f"{place}: loss '{broken}' is {value} on images {few(names, SHOWN)}{whose}", REMEDY)
    return StepInfo(taken.epoch + 1, taken.step + 1, taken.steps, taken.lr, total, losses, top1)


def named(run: Run, numbers: Sequence[float]) -> tuple[float, dict[str, float], float | None]:
    """What `Run.step` returns, as total, losses by name, and top-1 (None where no loss classifies)."""
    total, *losses, top1 = numbers
    return total, dict(zip(run.loss_names, losses, strict=True)), None if math.isnan(top1) else top1


def one_behind(items: Iterator[Taken]) -> Iterator[Taken]:
    """Each step once the next one is taken, so that reading its numbers leaves the device something to do."""
    held: list[Taken] = []
    for item in items:
        yield from held
        held = [item]
        if item.saved:
            yield from held
            held = []
    yield from held


def grouped(batches: Iterator[Batch], size: int) -> Iterator[list[Batch]]:
    """The batches of each step; the last may have fewer than `size`."""
    while group := list(islice(batches, size)):
        yield group


def timed(items: Iterator[Item]) -> Iterator[tuple[Item, float]]:
    """Each item and the seconds it was waited for."""
    started = time.perf_counter()
    for item in items:
        yield item, time.perf_counter() - started
        started = time.perf_counter()


@contextmanager
def _stage(run: Run, epoch: int) -> Iterator[None]:
    with ExitStack() as stages:
        if epoch < run.config.train.fixbase_epochs:
            for network in run.networks:
                stages.enter_context(only_open(network, run.config.train.open_layers))
        yield
