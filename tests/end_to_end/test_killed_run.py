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
from reidctl.training.run_folder import RunFolder
from reidctl.training.trainer import train
from tests.end_to_end.killed import Killer, config

TIMES = {"seconds", "images_per_second", "waiting"}


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


def _killed(runs: Path, epoch: int, step: int) -> str:
    """Train until that step was taken; the first step of this process."""
    command = [sys.executable, "-m", "tests.end_to_end.killed", str(runs), str(epoch), str(step)]
    child = subprocess.run(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True, check=False)
    assert child.returncode == -signal.SIGKILL
    return child.stdout


def test_a_run_that_is_killed_within_both_epochs_ends_with_the_weights_of_one_that_is_not(tmp_path: Path) -> None:
    assert _killed(tmp_path, 1, 2) == "(1, 1)"
    assert _killed(tmp_path, 2, 2) == "(1, 3)", "it goes on after the last step, in the middle of the epoch"
    folder, killer = RunFolder(tmp_path / "run"), Killer()
    train(config(tmp_path), resume=folder.path, observer=killer)
    assert killer.taken[0] == (2, 3)
    train(config(tmp_path / "whole"))
    assert _result(folder) == _result(RunFolder(tmp_path / "whole" / "run"))
