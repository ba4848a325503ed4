"""What stops a run, and that nothing is lost by it."""

from __future__ import annotations

import dataclasses
import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from reidctl.config import LossSpec
from reidctl.errors import DiskFull, TrainingError
from reidctl.registry import losses
from reidctl.training.checkpoint import load_checkpoint
from reidctl.training.run_folder import RunFolder
from reidctl.training.trainer import ROLLBACKS, train
from tests.training.stand_ins import Linear, register, tiny_config
from tests.training.test_trainer import Watcher, _result

ALWAYS = 1e-9
"""Minutes after which every step is saved."""


def _weights(folder: RunFolder) -> tuple[str, str]:
    best, last = (load_checkpoint(path).info.weights_sha256 for path in (folder.best, folder.last))
    return str(best), str(last)


def test_a_run_that_was_stopped_before_its_first_save_begins_anew(runs: Path) -> None:
    config, folder = tiny_config(runs), RunFolder(runs / "tiny")
    with pytest.raises(MemoryError):
        train(config, observer=Watcher((1, 1), MemoryError()))
    train(config, resume=folder.path)
    train(tiny_config(runs, run="whole"))
    assert _weights(folder) == _weights(RunFolder(runs / "whole"))


OPTIONS: dict[str, dict[str, Any]] = {
    "ema": {"train_ema_decay": 0.5},
    "accumulate": {"train_accumulate": 2},
    "sam": {"train_sam_rho": 0.05},
    "f16": {"train_precision": "f16"},
    "staged": {"train_base_lr_mult": 0.1, "train_new_layers": ("fc",)},
    "plateau": {"train_schedule": "plateau", "train_plateau_patience": 1},
    "one_cycle": {"train_schedule": "one_cycle"},
}


@pytest.mark.parametrize("option", OPTIONS)
def test_with_every_option_a_crashed_run_ends_as_if_it_had_not(runs: Path, option: str) -> None:
    config, folder = tiny_config(runs, **OPTIONS[option], train_save_minutes=ALWAYS), RunFolder(runs / "tiny")
    with pytest.raises(MemoryError):
        train(config, observer=Watcher((2, 2), MemoryError()))
    assert torch.load(folder.state, weights_only=True)["progress"]["step"] == 2
    train(config, resume=folder.path)
    train(tiny_config(runs, **OPTIONS[option], run="whole"))
    assert _result(folder) == _result(RunFolder(runs / "whole"))


def test_saving_within_epochs_changes_nothing(runs: Path) -> None:
    train(tiny_config(runs, run="often", train_save_minutes=ALWAYS))
    train(tiny_config(runs, run="never", train_save_minutes=0))
    assert _result(RunFolder(runs / "often")) == _result(RunFolder(runs / "never"))


def test_a_deterministic_run_is_the_same_bit_for_bit(runs: Path) -> None:
    results = []
    for name in ("one", "two"):
        train(tiny_config(runs, run=name, deterministic=True))
        results.append(_result(RunFolder(runs / name)))
    assert results[0] == results[1]


def test_the_average_is_what_is_tested_and_kept(runs: Path) -> None:
    train(tiny_config(runs, train_ema_decay=0.9))
    folder = RunFolder(runs / "tiny")
    state = torch.load(folder.state, weights_only=True)
    kept = load_checkpoint(folder.last).state
    assert all(torch.equal(value, state["average"]["model"][name]) for name, value in kept.items())
    assert not torch.equal(kept["fc.weight"], state["model"]["fc.weight"])
    from reidctl.devices import resolve_device
    from reidctl.training.run import Run
    from reidctl.training.validation import validate

    run = Run(tiny_config(runs))
    run.model.load_state_dict(kept)
    found = validate(run.model, run.targets, run.config, resolve_device("cpu"))
    assert folder.rows()[-1]["patches.mAP"] == found["patches"].mAP


def test_a_run_stops_when_its_tests_get_no_better(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _score(monkeypatch, [0.4, 0.5, 0.5, 0.3, 0.9])
    watcher, config = Watcher(), tiny_config(runs, train_epochs=9, train_patience=2)
    checkpoint = train(config, observer=watcher)
    assert [epoch.epoch for epoch in watcher.epochs] == [1, 2, 3, 4]
    assert checkpoint.info.metrics["patches.mAP"] == 0.5
    folder = RunFolder(runs / "tiny")
    assert "stopped after epoch 4: nothing better in 2 tests" in folder.log.read_text()
    assert folder.curves.exists()
    again = Watcher()
    train(config, resume=folder.path, observer=again)
    assert again.steps == []
    train(tiny_config(runs, train_epochs=9, train_patience=3, train_eval_every=9), resume=folder.path, observer=again)
    assert [epoch.epoch for epoch in again.epochs] == [5, 6, 7, 8, 9]


def test_the_best_weights_are_those_of_the_named_metric(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _score(monkeypatch, [0.9, 0.5, 0.1], mINP=[0.2, 0.6, 0.4])
    watcher = Watcher()
    train(tiny_config(runs, train_best_metric="mINP"), observer=watcher)
    assert [epoch.best for epoch in watcher.epochs] == [True, True, False]


def _score(monkeypatch: pytest.MonkeyPatch, mean_aps: list[float], **others: list[float]) -> None:
    """Let the tests of a run find these scores, one after the other."""
    from reidctl.training import trainer

    real, scores = trainer.validate, {"mAP": iter(mean_aps), **{name: iter(found) for name, found in others.items()}}

    def scored(*arguments: Any) -> dict[str, Any]:
        found = {name: next(values) for name, values in scores.items()}
        return {target: dataclasses.replace(metrics, **found) for target, metrics in real(*arguments).items()}

    monkeypatch.setattr(trainer, "validate", scored)


class Fragile(Linear):
    """Not finite at the calls that `breaks` numbers, from 1."""

    breaks: tuple[int, ...] = ()
    calls = 0

    def forward(self, embeddings: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        type(self).calls += 1
        return super().forward(embeddings, labels) * (torch.nan if type(self).calls in self.breaks else 1.0)


@pytest.fixture
def fragile(monkeypatch: pytest.MonkeyPatch) -> type[Fragile]:
    kind = type("Fragile", (Fragile,), {"__init__": Linear.__init__})
    register(monkeypatch, losses, "fragile", kind)
    return kind


@pytest.mark.parametrize(("breaks", "epoch", "step"), [((2,), 1, 1), ((7,), 2, 1)])
def test_a_loss_that_is_not_finite_goes_back_to_the_last_state_at_half_the_rate(
    runs: Path, fragile: type[Fragile], breaks: tuple[int, ...], epoch: int, step: int
) -> None:
    fragile.breaks = breaks
    config = tiny_config(
        runs, losses=(LossSpec(name="fragile"),), train_on_nan="rollback", train_schedule="constant", data_workers=1
    )
    watcher = Watcher()
    train(config, observer=watcher)
    steps = watcher.plans[0].steps
    halved = next(index for index, info in enumerate(watcher.steps) if info.lr == 0.005)
    assert (watcher.steps[halved].epoch, watcher.steps[halved].step) == (epoch, step)
    assert {info.lr for info in watcher.steps[:halved]} <= {0.01}
    assert {info.lr for info in watcher.steps[halved:]} == {0.005}
    folder = RunFolder(runs / "tiny")
    assert [row["epoch"] for row in folder.rows()] == [1, 2, 3]
    assert len(watcher.steps[halved:]) == (4 - epoch) * steps
    assert folder.log.read_text().count("at 0.5 of the learning rate") == 1


def test_a_run_gives_up_when_it_goes_back_again_and_again(runs: Path, fragile: type[Fragile]) -> None:
    fragile.breaks = tuple(range(6, 1000))
    config = tiny_config(runs, losses=(LossSpec(name="fragile"),), train_on_nan="rollback")
    with pytest.raises(TrainingError, match=r"loss 'fragile' is nan"):
        train(config)
    folder = RunFolder(runs / "tiny")
    assert torch.load(folder.state, weights_only=True)["progress"]["rollbacks"] == ROLLBACKS
    assert folder.log.read_text().count("back to epoch") == ROLLBACKS


def test_without_rollback_the_state_before_is_kept(runs: Path, fragile: type[Fragile]) -> None:
    fragile.breaks = (6,)
    config = tiny_config(runs, losses=(LossSpec(name="fragile"),))
    with pytest.raises(TrainingError) as caught:
        train(config)
    assert "train.on_nan=rollback" in str(caught.value.hint)
    train(config, resume=runs / "tiny")
    assert [row["epoch"] for row in RunFolder(runs / "tiny").rows()] == [1, 2, 3]


def test_weights_that_are_not_finite_are_never_saved(runs: Path) -> None:
    class Breaker(Watcher):
        def on_epoch(self, epoch: Any) -> None:
            super().on_epoch(epoch)
            monkey.setattr("reidctl.training.run.Run.not_finite", lambda run: "fc.weight")

    with (
        pytest.MonkeyPatch.context() as monkey,
        pytest.raises(TrainingError, match=r"'fc\.weight' are no longer finite"),
    ):
        train(tiny_config(runs), observer=Breaker())
    assert [row["epoch"] for row in RunFolder(runs / "tiny").rows()] == [1]
    assert torch.load(RunFolder(runs / "tiny").state, weights_only=True)["progress"]["epoch"] == 1


@pytest.mark.parametrize("file", ["last.pt", "last.safetensors", "metrics.jsonl"])
def test_a_full_disk_is_named_and_what_was_saved_before_is_kept(
    runs: Path, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, folder = tiny_config(runs), RunFolder(runs / "tiny")
    real, full = os.replace, False

    def replace(source: Any, target: Any) -> None:
        if full and Path(target).name == file:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(source, target)

    class Filler(Watcher):
        def on_epoch(self, epoch: Any) -> None:
            nonlocal full
            full = epoch.epoch == 2

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(DiskFull, match=rf"{file}: No space left on device, [\d,]+\.\d MB are free") as caught:
        train(config, observer=Filler())
    assert "--resume" in str(caught.value.hint)
    assert load_checkpoint(folder.best).info.metrics
    full = False
    train(config, resume=folder.path)
    train(tiny_config(runs, run="whole"))
    assert _result(folder) == _result(RunFolder(runs / "whole"))


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounting a small disk takes a Linux root")
def test_a_disk_that_is_really_full_is_named(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    try:
        with pytest.raises(DiskFull, match=r"No space left on device, 0\.\d MB are free"):
            train(tiny_config(disk, train_epochs=40, model={"name": "tiny", "width": 400}))
        assert not list(disk.rglob(".last*"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)
