"""A run in TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge
from pydantic import Field

from reidctl.errors import MissingExtra

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

    from reidctl.training.progress import EpochInfo, Plan, StepInfo


class TensorBoard:
    """Losses, rate and top-1 of the steps and the metrics of the tests, for `tensorboard --logdir runs`.

    The events are in the folder `tensorboard` of the run; a run that goes on takes the place of what it repeats. The
    axis counts steps as if all epochs were as long as the first, so an epoch ends in the same place however long it is.
    """

    def __init__(
        self, every: Annotated[int, Ge(1), Field(description="steps from one point to the next")] = 10, *, folder: Path
    ) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtra(
                "logger 'tensorboard' needs the package tensorboard", "pip install 'reidctl[tensorboard]'"
            ) from error
        self._open, self._folder, self._every = SummaryWriter, folder / "tensorboard", every
        self._writer: SummaryWriter | None = None
        self._steps = self._steps_of_epoch = 0

    def on_start(self, plan: Plan) -> None:
        """Nothing is known yet of where the run stands."""
        self._steps_of_epoch = plan.steps

    def on_step(self, step: StepInfo) -> None:
        """A point of every curve, at every so many steps."""
        before, self._steps = (
            round((step.epoch - 1 + taken / step.steps) * self._steps_of_epoch) for taken in (step.step - 1, step.step)
        )
        self._begin(before)
        if self._steps // self._every == before // self._every:
            return
        top1 = {} if step.top1 is None else {"top1": step.top1}
        losses = {f"loss/{name}": value for name, value in step.losses.items()}
        self._write({"loss": step.loss, "lr": step.lr, **losses, **top1})

    def on_epoch(self, epoch: EpochInfo) -> None:
        """The metrics of its test, and its speed, at its last step."""
        # A run may go on where all steps were taken and the test was not done.
        self._steps = epoch.epoch * self._steps_of_epoch
        self._begin(self._steps)
        found = {name.replace(".", "/", 1): value for name, value in epoch.tested().items()}
        self._write({"images_per_second": epoch.images_per_second, **found})

    def close(self) -> None:
        """Write what is still in memory."""
        if self._writer:
            self._writer.close()

    def _begin(self, done: int) -> None:
        """Open the events, once; what an earlier process wrote of steps after `done` is taken back."""
        if self._writer is None:
            self._writer = self._open(str(self._folder), purge_step=done + 1)

    def _write(self, values: dict[str, float]) -> None:
        if self._writer:
            for name, value in values.items():
                self._writer.add_scalar(name, value, self._steps)
