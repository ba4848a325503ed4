"""Whole runs of a tiny network, on the CPU."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from reidctl.config import LossSpec, RunConfig
from reidctl.errors import ConfigError, ExistsError, InputError, ReidError, TrainingError
from reidctl.training.checkpoint import load_checkpoint
from reidctl.training.progress import EpochInfo, Plan, StepInfo, Unobserved
from reidctl.training.run_folder import RunFolder
from reidctl.training.trainer import dry_run, train
from reidctl.types import Spec
from tests.training.stand_ins import tiny_config

TIMES = {"seconds", "images_per_second", "waiting"}


class Watcher(Unobserved):
    """Remembers what it was told, and stops the run where it is asked to."""

    def __init__(self, at: tuple[int, int] | None = None, how: signal.Signals | Exception | None = None) -> None:
        self.plans: list[Plan] = []
        self.steps: list[StepInfo] = []
        self.epochs: list[EpochInfo] = []
        self._at, self._how = at, how

    def on_start(self, plan: Plan) -> None:
        self.plans.append(plan)

    def on_step(self, step: StepInfo) -> None:
        self.steps.append(step)
        if (step.epoch, step.step) == self._at:
            if isinstance(self._how, Exception):
                raise self._how
            signal.raise_signal(signal.SIGINT)

    def on_epoch(self, epoch: EpochInfo) -> None:
        self.epochs.append(epoch)


def _result(folder: RunFolder) -> dict[str, Any]:
    """All that a run leaves behind, but for the time it took."""
    state = torch.load(folder.state, weights_only=True)
    rows = [{key: value for key, value in row.items() if key not in TIMES} for row in folder.rows()]
    best, last = load_checkpoint(folder.best), load_checkpoint(folder.last)
    moments = [values["exp_avg_sq"].tolist() for values in state["optimizer"]["state"].values()]
    return {
        "rows": rows,
        "best": (best.info, best.info.weights_sha256),
        "last": (last.info, last.info.weights_sha256),
        "losses": {name: value.tolist() for name, value in state["losses"].items()},
        "moments": moments,
    }


@pytest.fixture
def whole(tmp_path: Path) -> dict[str, Any]:
    """The result of a run that nothing stopped."""
    train(tiny_config(tmp_path / "whole"))
    return _result(RunFolder(tmp_path / "whole" / "tiny"))


def test_a_run_learns_and_leaves_everything_behind(runs: Path) -> None:
    watcher = Watcher()
    config = tiny_config(runs, train_epochs=6, train_eval_every=2, train_lr=0.05)
    checkpoint = train(config, observer=watcher)
    folder = RunFolder(runs / "tiny")
    assert {str(file.relative_to(folder.path)) for file in folder.path.rglob("*") if file.is_file()} == {
        *("config.yaml", "env.json", "train.log", "metrics.jsonl", "metrics.csv", "curves.png"),
        *("weights/best.safetensors", "weights/last.safetensors", "weights/last.pt"),
    }
    assert checkpoint.path == folder.best
    assert checkpoint.config.losses[0].parameters == {"explode": -1}, "defaults of parts are written out"
    assert [epoch.loss for epoch in watcher.epochs][-1] < 0.8 * watcher.epochs[0].loss
    assert [epoch.epoch for epoch in watcher.epochs if epoch.metrics] == [2, 4, 6]
    assert [row["epoch"] for row in folder.rows()] == [1, 2, 3, 4, 5, 6]
    assert folder.log.read_text().count("patches mAP") == 3
    assert folder.curves.read_bytes().startswith(b"\x89PNG")


def test_the_rows_are_the_means_of_the_steps(runs: Path) -> None:
    watcher = Watcher()
    train(
        tiny_config(runs, train_epochs=2, losses=(LossSpec(name="linear"), LossSpec(name="norms", weight=0.1))),
        observer=watcher,
    )
    steps = [step for step in watcher.steps if step.epoch == 2]
    assert [step.step for step in steps] == list(range(1, watcher.plans[0].steps + 1))
    row = RunFolder(runs / "tiny").rows()[1]
    for key, values in {
        "loss": [step.loss for step in steps],
        "loss.linear": [step.losses["linear"] for step in steps],
        "loss.norms": [step.losses["norms"] for step in steps],
        "top1": [step.top1 for step in steps],
    }.items():
        assert row[key] == pytest.approx(sum(values) / len(values))
    assert row["lr"] == steps[-1].lr
    assert steps[0].loss == pytest.approx(steps[0].losses["linear"] + 0.1 * steps[0].losses["norms"])


@pytest.mark.parametrize("at", [(1, 1), (2, 2), (2, 3), (3, 4)])
def test_a_run_that_was_interrupted_ends_as_if_it_had_not_been(
    runs: Path, whole: dict[str, Any], at: tuple[int, int]
) -> None:
    config, folder = tiny_config(runs), RunFolder(runs / "tiny")
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(config, observer=Watcher(at, signal.SIGINT))
    assert signal.getsignal(signal.SIGINT) is before
    assert folder.last.exists()
    train(config, resume=folder.path)
    assert _result(folder) == whole


@pytest.mark.parametrize("at", [(2, 1), (3, 2)])
def test_a_run_that_crashed_goes_on_from_its_last_epoch_with_the_same_end(
    runs: Path, whole: dict[str, Any], at: tuple[int, int]
) -> None:
    config, folder = tiny_config(runs), RunFolder(runs / "tiny")
    with pytest.raises(MemoryError):
        train(config, observer=Watcher(at, MemoryError()))
    train(config, resume=folder.path)
    assert _result(folder) == whole


def test_a_run_that_was_stopped_in_the_test_takes_no_step_again(
    runs: Path, whole: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, folder, watcher = tiny_config(runs), RunFolder(runs / "tiny"), Watcher()

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("reidctl.training.trainer.validate", stop)
        with pytest.raises(KeyboardInterrupt):
            train(config)
    train(config, resume=folder.path, observer=watcher)
    assert watcher.steps[0].epoch == 2
    assert _result(folder) == whole


def test_the_number_of_workers_changes_nothing(runs: Path, whole: dict[str, Any]) -> None:
    train(tiny_config(runs, data_workers=2))
    assert _result(RunFolder(runs / "tiny"))["rows"] == whole["rows"]


def test_the_seed_decides_the_weights(runs: Path) -> None:
    digests = [
        train(tiny_config(runs, run=name, seed=seed, train_epochs=1)).info.weights_sha256
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    ]
    assert digests[0] == digests[1] != digests[2]


def test_a_finished_run_can_be_given_more_epochs(runs: Path) -> None:
    constant: dict[str, Any] = {"train_schedule": "constant"}
    train(tiny_config(runs, **constant, train_epochs=2))
    train(tiny_config(runs, **constant, train_epochs=3), resume=runs / "tiny")
    train(tiny_config(runs, **constant, run="whole", train_epochs=3))
    assert _result(RunFolder(runs / "tiny"))["moments"] == _result(RunFolder(runs / "whole"))["moments"]


def test_a_run_that_is_done_is_not_trained_again(runs: Path) -> None:
    config, watcher = tiny_config(runs), Watcher()
    first = train(config)
    again = train(config, resume=runs / "tiny", observer=watcher)
    assert watcher.steps == []
    assert again.info == first.info


def test_the_best_weights_are_those_of_the_highest_mean_map(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    from reidctl.training import trainer

    scores = iter([(0.2, 0.8), (0.6, 0.6), (0.9, 0.1), (0.6, 0.6)])
    real = trainer.validate

    def scored(*arguments: Any) -> dict[str, Any]:
        found = real(*arguments)
        return {name: dataclasses.replace(m, mAP=s) for (name, m), s in zip(found.items(), next(scores), strict=True)}

    monkeypatch.setattr(trainer, "validate", scored)
    watcher = Watcher()
    targets = (Spec(name="patches"), Spec(name="patches", images=2))
    checkpoint = train(tiny_config(runs, train_epochs=4, data_targets=targets), observer=watcher)
    assert [epoch.best for epoch in watcher.epochs] == [True, True, False, False]
    assert checkpoint.info.metrics["patches.mAP"] == checkpoint.info.metrics["patches-2.mAP"] == 0.6


def test_without_targets_the_last_weights_are_returned(runs: Path) -> None:
    checkpoint = train(tiny_config(runs, data_targets=(), train_epochs=1))
    assert checkpoint.path.name == "last.safetensors"
    assert checkpoint.info.metrics == {}


def test_an_earlier_run_is_not_overwritten_unasked(runs: Path) -> None:
    config = tiny_config(runs, train_epochs=1)
    first = train(config)
    with pytest.raises(ExistsError):
        train(config)
    again = train(tiny_config(runs, train_epochs=1, seed=5), exist_ok=True)
    assert again.info.weights_sha256 != first.info.weights_sha256
    assert len(RunFolder(runs / "tiny").rows()) == 1


@pytest.mark.skipif(os.name != "posix", reason="folders are locked on POSIX alone")
def test_while_a_run_goes_on_no_other_one_is_let_into_its_folder(runs: Path) -> None:
    refused: list[Path] = []

    class Crowd(Unobserved):
        def on_step(self, step: StepInfo) -> None:
            before = {path: path.stat().st_mtime_ns for path in (runs / "tiny").rglob("*")}
            given: dict[str, Any]
            for given in ({}, {"exist_ok": True}, {"resume": runs / "latest"}):
                with pytest.raises(ExistsError, match="tiny: another process is writing there"):
                    train(tiny_config(runs, seed=5), **given)
            assert {path: path.stat().st_mtime_ns for path in (runs / "tiny").rglob("*")} == before
            refused.append(runs)

    config = tiny_config(runs, train_epochs=1)
    train(config, observer=Crowd())
    assert len(refused) == dry_run(config)[0].steps
    assert len(RunFolder(runs / "tiny").rows()) == 1
    train(config, exist_ok=True)


def test_nothing_is_written_for_a_run_that_cannot_start(runs: Path) -> None:
    for wrong in (
        tiny_config(runs, train_batch_size=64),
        tiny_config(runs, train_fixbase_epochs=1, train_open_layers=("nothing",)),
        tiny_config(runs, weights=runs / "none.safetensors"),
        tiny_config(runs, data_min_images_per_identity=7),
    ):
        with pytest.raises(ReidError):
            train(wrong)
    assert not runs.exists()


def test_a_run_goes_on_with_another_cache_to_the_same_result(runs: Path, whole: dict[str, Any]) -> None:
    with pytest.raises(MemoryError):
        train(tiny_config(runs), observer=Watcher((2, 2), MemoryError()))
    changes: dict[str, Any] = {"data_cache": "memory", "data_cache_dir": runs / "cache", "data_allow_leakage": True}
    train(tiny_config(runs, **changes), resume=runs / "tiny")
    found = _result(RunFolder(runs / "tiny"))
    assert (found["rows"], found["moments"]) == (whole["rows"], whole["moments"])


def test_a_run_goes_on_computed_in_another_way(runs: Path) -> None:
    """Compiling may turn out to be slower, which shows after the start."""
    train(tiny_config(runs, train_epochs=1, train_channels_last=True))
    train(tiny_config(runs, train_epochs=2, train_channels_last=False), resume=runs / "tiny")
    assert [row["epoch"] for row in RunFolder(runs / "tiny").rows()] == [1, 2]


def test_going_on_as_another_run_is_refused(runs: Path) -> None:
    train(tiny_config(runs, train_epochs=1))
    with pytest.raises(ConfigError, match=r"train\.lr: the run to go on with has 0.01, not 0.5"):
        train(tiny_config(runs, train_epochs=2, train_lr=0.5), resume=runs / "tiny")
    with pytest.raises(ConfigError, match=r"model\.width"):
        train(tiny_config(runs, train_epochs=2, model=Spec(name="tiny", width=4)), resume=runs / "tiny")


def test_a_broken_state_is_refused(runs: Path) -> None:
    config = tiny_config(runs, train_epochs=1)
    train(config)
    state = RunFolder(runs / "tiny").state
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(InputError, match=r"last\.pt: not the state of a run"):
        train(config, resume=runs / "tiny")


def test_a_loss_that_is_not_finite_names_itself_and_the_images(runs: Path) -> None:
    losses = (LossSpec(name="norms"), LossSpec(name="linear", explode=3))
    with pytest.raises(TrainingError, match=r"^epoch 1, step \d: loss 'linear' is inf on images .*\d_c\d_\d") as caught:
        train(tiny_config(runs, losses=losses))
    assert " 3_c" in str(caught.value)
    assert "train.lr" in str(caught.value.hint)


def test_only_open_layers_learn_in_the_first_epochs(runs: Path) -> None:
    stage: dict[str, Any] = {"train_fixbase_epochs": 1, "train_open_layers": ("fc",), "data_targets": ()}
    torch.manual_seed(0)
    frozen = train(tiny_config(runs, run="a", train_epochs=1, **stage)).state
    opened = train(tiny_config(runs, run="b", train_epochs=2, **stage)).state
    untrained = dry_state(tiny_config(runs))
    changed = {name for name in frozen if not torch.equal(frozen[name], untrained[name])}
    assert changed == {"fc.weight", "fc.bias"}
    assert not torch.equal(opened["stem.0.weight"], untrained["stem.0.weight"])


def dry_state(config: RunConfig) -> dict[str, torch.Tensor]:
    """The weights that a run starts from."""
    from reidctl.training.run import Run

    return {name: value.clone() for name, value in Run(config).model.state_dict().items()}


def test_training_starts_from_given_weights(runs: Path) -> None:
    first = train(tiny_config(runs, train_epochs=1, data_targets=()))
    started = dry_state(tiny_config(runs, weights=first.path, seed=9))
    assert all(torch.equal(started[name], value) for name, value in first.state.items())


def test_the_weights_that_a_run_starts_from_are_reported_and_stay_in_its_log(runs: Path, tmp_path: Path) -> None:
    first = train(tiny_config(runs, train_epochs=1, data_targets=()))
    state = {f"module.{name}": value for name, value in first.state.items() if name != "fc.bias"}
    file = tmp_path / "model.pth.tar-65"
    torch.save({"state_dict": {**state, "module.classifier.weight": torch.zeros(6, 9)}, "epoch": 65}, file)
    config = tiny_config(runs, run="second", weights=file, train_epochs=1, data_targets=())
    with pytest.raises(InputError, match=r"only in part: 8 tensors fit; missing 1 \(fc\.bias \[6\]\)"):
        train(config)
    assert not (runs / "second").exists()

    watcher = Watcher()
    train(config.model_copy(update={"allow_partial": True}), observer=watcher)
    report = watcher.plans[0].weights
    assert report is not None
    assert (len(report.loaded), len(report.skipped), len(report.missing)) == (8, 1, 1)
    log = RunFolder(runs / "second").log.read_text()
    assert log.count(f"weights from {file} (PyTorch): 8 loaded, 1 skipped, 1 missing") == 1
    assert all(f"\n  {line}\n" in log for line in list(report.lines())[1:])
    assert "  loaded fc.weight [6, 8]\n" in log


def test_going_on_needs_no_more_the_file_that_a_run_started_from(runs: Path, tmp_path: Path) -> None:
    file = tmp_path / "start.safetensors"
    train(tiny_config(runs, train_epochs=1, data_targets=())).path.rename(file)
    started: dict[str, Any] = {"run": "second", "weights": file, "data_targets": ()}
    train(tiny_config(runs, train_epochs=1, **started))
    file.unlink()
    watcher = Watcher()
    train(tiny_config(runs, train_epochs=2, **started), resume=runs / "second", observer=watcher)
    assert watcher.plans[0].weights is None


def test_a_dry_run_takes_the_first_step_and_writes_nothing(runs: Path) -> None:
    config, watcher = tiny_config(runs), Watcher()
    found, step = dry_run(config)
    assert not runs.exists()
    train(config, observer=watcher)
    assert found == watcher.plans[0]
    assert step == watcher.steps[0]
    assert (found.train["images"], found.train["identities"], found.steps) == (36, 6, len(watcher.steps) // 3)
    assert found.parameters == sum(value.numel() for value in dry_state(config).values()) - 2 * 8 - 1
    assert found.loss_parameters == 6 * 6 + 6
