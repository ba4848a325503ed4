"""What a training run tells while it goes on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from reidctl.types import Metrics
from reidctl.weights import Report


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will do, before it does it.

    train, targets: rows of `reidctl.data.statistics`, by data set; steps: those of the first epoch;
    images: of a step; course: optimizer, rate and tests in words; parameters: of the network and of the losses, which
    are not exported; weights: what became of those that the run starts from.
    """

    folder: Path
    device: str
    compiled: bool
    model: str
    parameters: int
    loss_parameters: int
    train: dict[str, Any]
    targets: dict[str, list[dict[str, Any]]]
    epochs: int
    steps: int
    images: int
    course: str
    weights: Report | None = None


@dataclass(frozen=True, slots=True)
class StepInfo:
    """One step that was taken; epoch, step count from 1.

    loss is the weighted total, losses the single ones unweighted; top1 is the share of the batch that the first loss
    with class weights classifies right, None where there is none.
    """

    epoch: int
    step: int
    steps: int
    lr: float
    loss: float
    losses: dict[str, float]
    top1: float | None


@dataclass(frozen=True, slots=True)
class EpochInfo:
    """One epoch that was finished: means over its steps, speed, and what the test found if there was one.

    waiting: share of the time spent waiting for images; best: whether the weights are the best yet.
    """

    epoch: int
    epochs: int
    lr: float
    loss: float
    losses: dict[str, float]
    top1: float | None
    seconds: float
    images_per_second: float
    waiting: float
    metrics: dict[str, Metrics]
    best: bool

    def tested(self) -> dict[str, float]:
        """What the test found, as `<data set>.<metric>`."""
        return {
            f"{target}.{name}": value
            for target, metrics in self.metrics.items()
            for name, value in metrics.as_dict().items()
            if isinstance(value, float)
        }

    def row(self) -> dict[str, Any]:
        """One flat line for tables."""
        return {
            "epoch": self.epoch,
            "lr": self.lr,
            "loss": self.loss,
            **{f"loss.{name}": value for name, value in self.losses.items()},
            **({} if self.top1 is None else {"top1": self.top1}),
            "seconds": round(self.seconds, 3),
            "images_per_second": round(self.images_per_second, 1),
            "waiting": round(self.waiting, 3),
            **self.tested(),
        }

    def __str__(self) -> str:
        top1 = "" if self.top1 is None else f", top-1 {self.top1:.1%}"
        found = "".join(f"; {target} mAP {metrics.mAP:.1%}" for target, metrics in self.metrics.items())
        return (
            f"epoch {self.epoch}/{self.epochs}: loss {self.loss:.4f}{top1}, lr {self.lr:.3g}, "
            f"{self.images_per_second:.0f} images/s ({self.waiting:.0%} waiting for images){found}"
        )


class Listener(Protocol):
    """Who is told of the steps and epochs of a run: an `Observer`, or a logger (`reidctl.training.loggers`)."""

    def on_start(self, plan: Plan) -> None:
        """Everything is built and the first step is about to be taken."""

    def on_step(self, step: StepInfo) -> None:
        """A step was taken; on an accelerator the next one is already under way."""

    def on_epoch(self, epoch: EpochInfo) -> None:
        """An epoch is finished, tested where it was to be, and saved."""


class Observer(Listener, Protocol):
    """Who wants to know how a run goes on."""

    def on_prepare(self, what: str, done: int, total: int) -> None:
        """So many of the images are done that are gone through once before the first step, for `what`."""


class Unobserved:
    """The observer that looks away."""

    def on_start(self, plan: Plan) -> None: ...

    def on_prepare(self, what: str, done: int, total: int) -> None: ...

    def on_step(self, step: StepInfo) -> None: ...

    def on_epoch(self, epoch: EpochInfo) -> None: ...
