"""A training process that is killed, for real, and the run that goes on from what it left."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from reidctl.training.checkpoint import load_checkpoint
from reidctl.training.progress import StepInfo
from reidctl.training.run_folder import RunFolder
from reidctl.training.trainer import train
from tests.end_to_end.killed import Killer, config

TIMES = {"seconds", "images_per_second", "waiting"}


class Steps(Killer):
    """Kills nothing, and remembers the steps."""

    def __init__(self) -> None:
        self.taken: list[tuple[int, int]] = []

    def on_step(self, step: StepInfo) -> None:
        self.taken.append((step.epoch, step.step))


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """As in the other process: sums depend on how they are shared out."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _result(folder: RunFolder) -> object:
    weights = [load_checkpoint(path).info.weights_sha256 for path in (folder.best, folder.last)]
    rows = [{key: value for key, value in row.items() if key not in TIMES} for row in folder.rows()]
    optimizer = torch.load(folder.state, weights_only=True)["optimizer"]["state"]
    return weights, rows, [values["exp_avg_sq"].tolist() for values in optimizer.values()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> object:
    """What a run that nothing stopped comes to."""
    runs = tmp_path_factory.mktemp("whole")
    torch.set_num_threads(1)
    train(config(runs))
    return _result(RunFolder(runs / "run"))


@pytest.mark.parametrize("at", [(1, 2), (2, 2)])
def test_a_run_that_is_killed_within_an_epoch_ends_with_the_weights_of_one_that_is_not(
    tmp_path: Path, whole: object, at: tuple[int, int]
) -> None:
    command = [sys.executable, "-m", "tests.end_to_end.killed", str(tmp_path), *map(str, at)]
    child = subprocess.run(command, cwd=Path(__file__).parents[2], check=False)
    assert child.returncode == -signal.SIGKILL
    folder, steps = RunFolder(tmp_path / "run"), Steps()
    train(config(tmp_path), resume=folder.path, observer=steps)
    assert steps.taken[0] == (at[0], at[1] + 1), "it goes on after the last step, in the middle of the epoch"
    assert _result(folder) == whole
