"""`reidctl train` on drawn people: what it plans, finds and says."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
import torch

from reidctl.cli.train import Watcher, _resumed
from reidctl.training import load_checkpoint
from reidctl.training.progress import EpochInfo, Plan, StepInfo
from tests.conftest import Cli

PEOPLE = "{name: synthetic, train_identities: 6, test_identities: 3, cameras: 2, images_per_camera: 3}"
SETTINGS = [
    *("run=run", "device=cpu", "model={name: fpn_osnet_x0_25, pooling: avg, embedding_dim: 32}"),
    *("data.image={height: 64, width: 32}", f"data.sources=[{PEOPLE}]", f"data.targets=[{PEOPLE}]"),
    *("data.images_per_identity=2", "data.workers=0", "train.epochs=1", "train.batch_size=8", "train.compile=false"),
    "train.precision=f32",
]


@pytest.fixture
def sets(tmp_path: Path) -> list[str]:
    return [part for setting in [*SETTINGS, f"runs={tmp_path / 'runs'}"] for part in ("--set", setting)]


def test_a_dry_run_shows_data_and_plan_and_writes_nothing(cli: Cli, sets: list[str], tmp_path: Path) -> None:
    result = cli("train", *sets, "--set", "train.accumulate=2", "--set", "train.ema_decay=0.99", "--dry-run")
    assert result.code == 0, result.err
    assert "ok: one step taken, loss" in result.out
    assert "train: 36 images, 6 identities, 2 cameras" in result.err
    assert "amsgrad, lr 0.0015 cosine, batches of 8 × 2, f32, EMA 0.99, tested at the end, best by mAP" in result.err
    assert not (tmp_path / "runs").exists()


def test_a_plan_says_how_often_a_run_is_tested(cli: Cli, sets: list[str]) -> None:
    result = cli("train", *sets, "--set", "train.epochs=5", "--set", "train.eval_every=3", "--dry-run")
    assert "tested every 3 epochs, best by mAP" in result.err


def test_the_learning_rate_is_searched_and_drawn_beside_no_run(cli: Cli, sets: list[str], tmp_path: Path) -> None:
    picture = tmp_path / "lr.png"
    result = cli("train", *sets, "--find-lr", picture, "--find-lr-steps", 20, "--json")
    assert result.code == 0, result.err
    found = json.loads(result.out)
    assert found["schema"] == "reidctl.find-lr/1"
    assert 1e-6 < found["suggested"] < 1
    assert found["rates"][1] / found["rates"][0] == pytest.approx(1e6 ** (1 / 19))
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "runs").exists()
    again = cli("train", *sets, "--find-lr", picture)
    assert again.code == 2
    assert "--exist-ok" in again.err


def test_a_run_that_ctrl_c_stops_goes_on_as_the_last_one_with_the_same_end(
    cli: Cli, sets: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = Watcher.on_step
    at = 2

    def interrupting(watcher: Watcher, step: StepInfo) -> None:
        shown(watcher, step)
        if step.step == at:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Watcher, "on_step", interrupting)
    stopped = cli("train", *sets, "--set", "train.save_minutes=0")
    assert stopped.code == 130
    assert "interrupted in epoch 1 after step 3 and saved: --resume" in stopped.err
    assert torch.load(tmp_path / "runs/run/weights/last.pt", weights_only=True)["progress"]["step"] == 3

    at = 0
    found = cli("train", "--resume", "last")
    assert found.code == 0, found.err
    whole = cli("train", *sets, "--set", "run=whole")
    assert whole.code == 0, whole.err
    ends = [load_checkpoint(Path(each.out.strip())).info for each in (found, whole)]
    assert ends[0].weights_sha256 == ends[1].weights_sha256
    assert ends[0].metrics == ends[1].metrics


def test_variables_do_not_change_a_run_that_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.yaml").write_text("train: {epochs: 9}\n", encoding="utf-8")
    monkeypatch.setenv("REIDCTL_TRAIN__EPOCHS", "5")
    assert _resumed(tmp_path).train.epochs == 9


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("train.best_metric=rank-3", "train.best_metric rank-3 is none of eval.ranks [1, 5, 10, 20]"),
        ("train.best_metric=map", "best_metric"),
        ("train={patience: 2, eval_every: 0}", "train.patience needs tests"),
        ("train={schedule: one_cycle, warmup_epochs: 1, epochs: 9}", "one_cycle has a rise of its own"),
        ("train.new_layers=[fc]", "train.new_layers needs train.base_lr_mult below 1"),
        ("train={sam_rho: 0.05, precision: f16}", "train.sam_rho"),
        ("loggers=[tensorbord]", "did you mean 'tensorboard'?"),
    ],
)
def test_options_that_do_not_go_together_are_refused(cli: Cli, setting: str, words: str) -> None:
    result = cli("config", "show", "--set", setting)
    assert result.code == 2
    assert words in result.err


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr("reidctl.cli.train.time.monotonic", lambda: now[0])
    return now


@pytest.fixture
def watcher(clock: list[float], capsys: pytest.CaptureFixture[str]) -> Watcher:
    """Of a run of two epochs of 50 steps, where no bars move."""
    plan = Plan(Path("run"), "cpu", False, "net", 1, 1, {"images": 1, "identities": 1, "cameras": 1}, {}, 2, 50, 64, "")
    watcher = Watcher()
    watcher.on_start(plan)
    capsys.readouterr()
    return watcher


def test_a_line_a_minute_tells_how_far_a_long_run_is(
    watcher: Watcher, clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    # Resumed after step 40; 7 s a step, then 9 s in the second epoch, between them a test of 500 s.
    for done in range(41, 101):
        epoch, step = divmod(done - 1, 50)
        watcher.on_step(StepInfo(epoch + 1, step + 1, 50, 0.001, 2.5, {"softmax": 2.5}, 0.25))
        clock[0] += 9.0 if epoch else 7.0
        if done == 50:
            watcher.on_epoch(EpochInfo(1, 2, 0.001, 2.5, {}, None, 350.0, 9.0, 0.0, {}, False))
            clock[0] += 500.0
    first, epoch_line, *others = capsys.readouterr().err.splitlines()
    assert first == "epoch 1/2  step 50/50  loss 2.500  lr 0.001  top1 25%  9 images/s  6 min left"
    assert epoch_line.startswith("epoch 1/2  loss 2.500")
    assert others[0] == "epoch 2/2  step 8/50  loss 2.500  lr 0.001  top1 25%  7 images/s  6 min left"
    assert [line.split("  ")[1] for line in others] == [f"step {step}/50" for step in range(8, 51, 7)]


def test_a_run_that_went_back_is_timed_anew(
    watcher: Watcher, clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    for step in (20, 21, 11, 12, 13):
        watcher.on_step(StepInfo(1, step, 50, 0.001, 2.5, {"softmax": 2.5}, None))
        clock[0] += 40.0
    [line] = capsys.readouterr().err.splitlines()
    assert line == "epoch 1/2  step 13/50  loss 2.500  lr 0.001  2 images/s  58 min left"
