"""Where a run stands, so that it can go on as if it had never stopped."""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from reidctl.config.keys import flattened
from reidctl.config.ownership import read_stored
from reidctl.config.schema import RunConfig
from reidctl.errors import ConfigError, InputError, TrainingError
from reidctl.files import replacing
from reidctl.training.run import Run

MAY_CHANGE = (
    "run",
    "runs",
    "device",
    "loggers",
    "weights",
    "allow_partial",
    "eval",
    "data.allow_leakage",
    "data.cache",
    "data.cache_dir",
    "data.root",
    "data.targets",
    "data.workers",
    "train.channels_last",
    "train.compile",
    "train.cuda_graphs",
    "train.epochs",
    "train.eval_every",
    "train.patience",
    "train.save_minutes",
    "train.on_nan",
)
"""Keys of the configuration that another value of does not make the run another one."""

REMEDY = "lower train.lr, or set train.clip_norm, train.warmup_epochs or train.on_nan=rollback; what was saved is kept"


@dataclass
class Progress:
    """How far a run is.

    epoch: the one under way, from 0; step: how many of its steps are taken, and over these the sums of what they
    reported, the seconds spent and those waited for images.
    best: the highest train.best_metric so far; stale: tests since then. watched: the best that the schedule `plateau`
    has seen; flat: looks since then or since it last dropped the rate. lr_factor: what drops and rollbacks have made
    of the rate; rollbacks: how many there were.
    """

    epoch: int = 0
    step: int = 0
    sums: list[float] = field(default_factory=list)
    seconds: float = 0.0
    waited: float = 0.0
    best: float | None = None
    stale: int = 0
    watched: float | None = None
    flat: int = 0
    lr_factor: float = 1.0
    rollbacks: int = 0

    def add(self, numbers: Sequence[float]) -> None:
        """Count what a step reported."""
        self.sums = [total + number for total, number in zip(self.sums or [0.0] * len(numbers), numbers, strict=True)]

    def next_epoch(self) -> Progress:
        """At the start of the next epoch."""
        return replace(self, epoch=self.epoch + 1, step=0, sums=[], seconds=0.0, waited=0.0)


def save_state(path: Path, run: Run, progress: Progress) -> None:
    """Write all that the next step depends on, whole or not at all.

    Randomness and the order of the images need no state: each step and each place of an epoch seeds its own.
    Of several processes, which all stand in the same place, the first one writes.
    """
    if not run.processes.first:
        return
    state = {
        "config": run.config.model_dump_json(),
        "model": run.model.state_dict(),
        "losses": run.losses.state_dict(),
        "peers": [(peer.model.state_dict(), peer.losses.state_dict()) for peer in run.learners[1:]],
        "optimizer": run.optimizer.state_dict(),
        "scaler": run.scaler.state_dict(),
        "progress": asdict(progress),
    }
    if run.average:
        state["average"] = {"model": run.average.model.state_dict(), "updates": run.average.updates}
    # By way of memory, because torch hides what a disk has to say.
    written = io.BytesIO()
    torch.save(state, written)
    with replacing(path) as temporary:
        temporary.write_bytes(written.getbuffer())


def require_finite(run: Run, progress: Progress) -> None:
    """Raise TrainingError where a weight is not finite; no run could go on from a state of it."""
    broken = run.not_finite()
    if broken:
        place = f"epoch {progress.epoch + 1}, step {progress.step}"
        raise TrainingError(f"{place}: the weights '{broken}' are no longer finite", REMEDY)


def load_state(path: Path, run: Run) -> Progress:
    """Put `run` where it was saved. Of several processes the first one reads.

    Raises InputError for a file that is no state, ConfigError where the run is now configured to be another one.
    """
    state, before, progress = run.processes.on_first(partial(_read, path))
    _require_same(before, run.config)
    try:
        run.model.load_state_dict(state["model"])
        run.losses.load_state_dict(state["losses"])
        for peer, (model, losses) in zip(run.learners[1:], state["peers"], strict=True):
            peer.model.load_state_dict(model)
            peer.losses.load_state_dict(losses)
        run.optimizer.load_state_dict(state["optimizer"])
        run.scaler.load_state_dict(state["scaler"])
        if run.average:
            run.average.model.load_state_dict(state["average"]["model"])
            run.average.updates = state["average"]["updates"]
    except (RuntimeError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        hint = "the data or a plugin's code has changed since; start the run anew"
        raise InputError(f"{path}: does not fit this run: {reason}", hint) from error
    return progress


def _read(path: Path) -> tuple[dict[str, Any], RunConfig, Progress]:
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return state, read_stored(state["config"]), Progress(**state["progress"])
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: not the state of a run: {reason}", "start the run anew") from error


def may_change(key: str) -> bool:
    """Whether a run stays the same one with another value of a key of its configuration, as of `eval.ranks`."""
    return any(key == free or key.startswith(f"{free}.") for free in MAY_CHANGE)


def _require_same(before: RunConfig, now: RunConfig) -> None:
    old, new = flattened(before.model_dump(mode="json")), flattened(now.model_dump(mode="json"))
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key) and not may_change(key):
            raise ConfigError(
                f"{key}: the run to go on with has {old.get(key)}, not {new.get(key)}",
                "leave the key as it was, or start a new run with `weights` set to the checkpoint",
            )
