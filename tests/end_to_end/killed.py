"""A run that kills its own process after a step of an epoch: python -m tests.end_to_end.killed RUNS EPOCH STEP.

It goes on from what an earlier one left in RUNS.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch

from reidctl.config import RunConfig, load_config
from reidctl.training.progress import EpochInfo, Plan, StepInfo
from reidctl.training.trainer import train

PEOPLE = "{name: synthetic, train_identities: 4, test_identities: 3, cameras: 2, images_per_camera: 4}"


def config(runs: Path) -> RunConfig:
    """Two epochs of several steps, the same every time in one thread; the state is saved after each."""
    return load_config(
        sets=[
            *("run=run", f"runs={runs}", "device=cpu", "train.precision=f32"),
            "model={name: fpn_osnet_x0_25, pooling: avg, embedding_dim: 32}",
            "data.image={height: 64, width: 32}",
            *(f"data.sources=[{PEOPLE}]", f"data.targets=[{PEOPLE}]", "data.images_per_identity=2", "data.workers=0"),
            *("train.epochs=2", "train.batch_size=8", "train.eval_every=1", "train.ema_decay=0.9"),
            "train.save_minutes=1e-9",
        ]
    ).config


class Killer:
    """Remembers the steps; after that of `at` it says which was the first and sends the signal that none can catch."""

    def __init__(self, at: tuple[int, int] | None = None) -> None:
        self.taken: list[tuple[int, int]] = []
        self._at = at

    def on_start(self, plan: Plan) -> None: ...

    def on_step(self, step: StepInfo) -> None:
        self.taken.append((step.epoch, step.step))
        if self.taken[-1] == self._at:
            sys.stdout.write(repr(self.taken[0]))
            sys.stdout.flush()
            os.kill(os.getpid(), signal.SIGKILL)

    def on_epoch(self, epoch: EpochInfo) -> None: ...


if __name__ == "__main__":
    torch.set_num_threads(1)
    runs, at = Path(sys.argv[1]), (int(sys.argv[2]), int(sys.argv[3]))
    left = runs / "run"
    train(config(runs), resume=left if left.exists() else None, observer=Killer(at))
