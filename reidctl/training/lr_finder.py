"""The range test of the learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from reidctl.config.parts import with_defaults
from reidctl.config.schema import RunConfig
from reidctl.data.loader import Batch
from reidctl.errors import TrainingError
from reidctl.files import replacing
from reidctl.training.run import Run, computing
from reidctl.training.steps import Reading, grouped

LOWEST, HIGHEST = 1e-6, 1.0
SMOOTHING = 0.9
"""Share of the average loss that a step keeps."""
DIVERGED = 3.0
"""Times the lowest average loss from which higher rates need not be tried."""


@dataclass(frozen=True, slots=True)
class RangeTest:
    """The average loss at each learning rate that was tried; suggested is None where no rate lowered it."""

    rates: list[float]
    losses: list[float]

    @property
    def suggested(self) -> float | None:
        """The rate at which the average loss fell most steeply, over the logarithm of the rate, before its lowest."""
        lowest = min(range(len(self.losses)), key=self.losses.__getitem__)
        # Equal steps of the logarithm: the difference across a step is the slope.
        falls = [(self.losses[k + 1] - self.losses[k - 1], self.rates[k]) for k in range(1, lowest)]
        steepest = min(falls, default=(0.0, 0.0))
        return steepest[1] if steepest[0] < 0 else None


def find_lr(config: RunConfig, steps: int = 200, on_step: Callable[[], None] = lambda: None) -> RangeTest:
    """Train for `steps` steps at rates that rise from 1e-6 to 1 by equal factors, all layers open; nothing is written.

    L. N. Smith, Cyclical Learning Rates, https://arxiv.org/abs/1506.01186, section 3.3. It ends early where the
    average loss, over about ten steps, is three times its lowest or not finite. The optimizer, the losses, the batches
    and the rates of staged layers are those of the run; its schedule, warm-up and first stage play no part.
    TrainingError where no loss is finite.
    """
    config = with_defaults(config)
    rates: list[float] = []
    losses: list[float] = []
    with computing(config) as processes:
        run = Run(config, processes=processes)
        average = 0.0
        with closing(run.batches):
            for number, (epoch, step, group) in zip(range(steps), _endless(run), strict=False):
                rate = LOWEST * (HIGHEST / LOWEST) ** (number / max(steps - 1, 1))
                loss = Reading(run.step(group, epoch, step, run.steps(epoch), rate)).numbers()[0]
                average = SMOOTHING * average + (1 - SMOOTHING) * loss
                found = average / (1 - SMOOTHING ** (number + 1))
                if not math.isfinite(found) or (losses and found > DIVERGED * min(losses)):
                    break
                rates.append(rate)
                losses.append(found)
                on_step()
    if not rates:
        raise TrainingError(f"the loss is not finite at a learning rate of {LOWEST:g}", "look at data and losses")
    return RangeTest(rates, losses)


def draw_range(found: RangeTest, path: Path) -> None:
    """Draw the average loss over the rate as PNG, with the suggested rate."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot(found.rates, found.losses, color="tab:gray")
    axes.set(xscale="log", xlabel="learning rate", ylabel="average loss")
    if found.suggested is not None:
        axes.axvline(found.suggested, color="tab:red", label=f"{found.suggested:.2g}")
        axes.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")


def _endless(run: Run) -> Iterator[tuple[int, int, list[Batch]]]:
    for epoch in count():
        for step, group in enumerate(grouped(run.batches.epoch(epoch), run.config.train.accumulate)):
            yield epoch, step, group
