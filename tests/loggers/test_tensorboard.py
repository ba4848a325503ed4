from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import pytest

from reidctl.errors import MissingExtra
from reidctl.registry import loggers
from reidctl.training.progress import EpochInfo, Plan, StepInfo
from reidctl.types import Metrics, Spec


def _step(epoch: int, step: int, loss: float) -> StepInfo:
    return StepInfo(epoch, step, 2, 0.1, loss, {"linear": loss / 2}, 0.5)


def _epoch(epoch: int) -> EpochInfo:
    metrics = Metrics({1: 0.75}, 0.5, 0.25, valid_queries=3, invalid_queries=0, gallery=9)
    return EpochInfo(epoch, 2, 0.1, 1.0, {"linear": 0.5}, 0.5, 1.0, 8.0, 0.0, {"market1501": metrics}, best=True)


def _points(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_steps_and_tests_become_curves(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    logger = loggers.build(Spec(name="tensorboard", every=1), folder=tmp_path, config=None)
    assert not list(tmp_path.iterdir()), "nothing is written before the run starts"
    for epoch in (1, 2):
        for step in (1, 2):
            logger.on_step(_step(epoch, step, loss=10 * epoch + step))
        logger.on_epoch(_epoch(epoch))
    logger.close()
    points = _points(tmp_path / "tensorboard")
    assert points["loss"] == [(1, 11.0), (2, 12.0), (3, 21.0), (4, 22.0)]
    assert points["loss/linear"][0] == (1, 5.5)
    assert points["market1501/mAP"] == [(2, 0.5), (4, 0.5)]
    assert points["market1501/rank1"][0] == (2, 0.75)
    assert {"lr", "top1", "images_per_second"} <= points.keys()


def test_a_run_that_goes_on_takes_the_place_of_what_it_repeats(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    for first, loss in ((1, 1.0), (2, 2.0)):
        logger = loggers.build(Spec(name="tensorboard", every=1), folder=tmp_path, config=None)
        for step in range(first, 3):
            logger.on_step(_step(1, step, loss))
        logger.close()
    assert _points(tmp_path / "tensorboard")["loss"] == [(1, 1.0), (2, 2.0)]


def test_a_run_that_goes_on_with_the_test_of_an_epoch_tells_what_it_finds(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    trained, tested = (loggers.build(Spec(name="tensorboard", every=1), folder=tmp_path, config=None) for _ in range(2))
    for step in (1, 2):
        trained.on_step(_step(1, step, 7.0))
    trained.close()
    tested.on_start(Plan(tmp_path, "cpu", False, "tiny", 1, 1, {}, {}, epochs=1, steps=2, images=8, course=""))
    tested.on_epoch(_epoch(1))
    tested.close()
    points = _points(tmp_path / "tensorboard")
    assert points["loss"] == [(1, 7.0), (2, 7.0)]
    assert points["market1501/mAP"] == [(2, 0.5)]


def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *arguments: Any, **options: Any) -> Any:
        if name.startswith("torch.utils.tensorboard"):
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(MissingExtra, match="needs the package tensorboard") as caught:
        loggers.build(Spec(name="tensorboard"), folder=tmp_path, config=None)
    assert "reidctl[tensorboard]" in str(caught.value.hint)
