"""Where a run stands, so that it can go on as if it had never stopped."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from reidctl.config.schema import RunConfig
from reidctl.errors import ConfigError, InputError
from reidctl.files import replacing
from reidctl.training.run import Run

MAY_CHANGE = (
    "run",
    "runs",
    "device",
    "weights",
    "allow_partial",
    "eval",
    "data.root",
    "data.targets",
    "data.workers",
    "train.epochs",
    "train.eval_every",
)
"""Keys of the configuration that another value of does not make the run another one."""


@dataclass
class Progress:
    """How far a run is.

    epoch: the one under way, from 0; step: how many of its steps are taken, and over these the sums of what they
    reported, the seconds spent and those waited for images; best: the highest mean mAP so far.
    """

    epoch: int = 0
    step: int = 0
    sums: list[float] = field(default_factory=list)
    seconds: float = 0.0
    waited: float = 0.0
    best: float | None = None

    def add(self, numbers: Sequence[float]) -> None:
        """Count what a step reported."""
        self.sums = [total + number for total, number in zip(self.sums or [0.0] * len(numbers), numbers, strict=True)]

    def next_epoch(self, best: float | None) -> Progress:
        """At the start of the next epoch."""
        return Progress(self.epoch + 1, best=best)


def save_state(path: Path, run: Run, progress: Progress) -> None:
    """Write network, losses, optimizer and progress. Randomness needs no state: every step seeds its own."""
    with replacing(path) as temporary:
        torch.save(
            {
                "config": run.config.model_dump_json(),
                "model": run.model.state_dict(),
                "losses": run.losses.state_dict(),
                "optimizer": run.optimizer.state_dict(),
                "progress": asdict(progress),
            },
            temporary,
        )


def load_state(path: Path, run: Run) -> Progress:
    """Put network, losses and optimizer of `run` where they were saved.

    Raises InputError for a file that is no state, ConfigError where the run is now configured to be another one.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        before = RunConfig.model_validate_json(state["config"])
        progress = Progress(**state["progress"])
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: not the state of a run: {reason}", "start the run anew") from error
    _require_same(before, run.config)
    try:
        run.model.load_state_dict(state["model"])
        run.losses.load_state_dict(state["losses"])
        run.optimizer.load_state_dict(state["optimizer"])
    except (RuntimeError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        hint = "the data or a plugin's code has changed since; start the run anew"
        raise InputError(f"{path}: does not fit this run: {reason}", hint) from error
    return progress


def _require_same(before: RunConfig, now: RunConfig) -> None:
    old, new = _flat(before.model_dump(mode="json")), _flat(now.model_dump(mode="json"))
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key) and not any(key == free or key.startswith(f"{free}.") for free in MAY_CHANGE):
            raise ConfigError(
                f"{key}: the run to go on with has {old.get(key)}, not {new.get(key)}",
                "leave the key as it was, or start a new run with `weights` set to the checkpoint",
            )


def _flat(values: Any, path: str = "") -> dict[str, Any]:
    children = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    found = {key: leaf for step, child in children for key, leaf in _flat(child, f"{path}{step}.").items()}
    return found or {path.removesuffix("."): values}
