"""Loggers: listeners to a run that a configuration names, such as TensorBoard.

A logger is a part `name(parameters, *, folder, config)`: a `Listener` with a method `close`. It is built before
anything is written and may write from `on_start` on; `folder` is that of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from reidctl.config.schema import RunConfig
from reidctl.plugins import complain
from reidctl.registry import loggers
from reidctl.training.progress import EpochInfo, Listener, Observer, Plan, StepInfo


class Logger(Listener, Protocol):
    """A listener that a configuration can name."""

    def close(self) -> None:
        """The run is over, or has failed."""


@contextmanager
def told(observer: Observer, config: RunConfig, folder: Path) -> Iterator[Observer]:
    """`observer` and the loggers of `config` as one, closed after the block.

    A logger that fails is left out from then on, with a warning: no run ends because of one.
    """
    named = [
        (spec.name, loggers.build(spec, at=f"loggers.{index}", folder=folder, config=config))
        for index, spec in enumerate(config.loggers)
    ]
    everyone = _Everyone(observer, named)
    try:
        yield everyone
    finally:
        everyone.tell(lambda logger: logger.close())


class _Everyone:
    def __init__(self, observer: Observer, named: Sequence[tuple[str, Logger]]) -> None:
        self._observer, self._named = observer, list(named)

    def on_start(self, plan: Plan) -> None:
        self._observer.on_start(plan)
        self.tell(lambda logger: logger.on_start(plan))

    def on_prepare(self, what: str, done: int, total: int) -> None:
        self._observer.on_prepare(what, done, total)

    def on_step(self, step: StepInfo) -> None:
        self._observer.on_step(step)
        self.tell(lambda logger: logger.on_step(step))

    def on_epoch(self, epoch: EpochInfo) -> None:
        self._observer.on_epoch(epoch)
        self.tell(lambda logger: logger.on_epoch(epoch))

    def tell(self, what: Callable[[Logger], None]) -> None:
        for item in list(self._named):
            name, logger = item
            try:
                what(logger)
            except Exception as cause:
                self._named.remove(item)
                origin, reason = loggers.find(name).origin, f"{type(cause).__name__}: {cause}"
                complain(f"logger '{name}' from {origin} failed and is left out: {reason}")
