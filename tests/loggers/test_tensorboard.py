from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import pytest

from reidctl.errors import MissingExtra
from reidctl.registry import loggers
from reidctl.training.progress import EpochInfo, Plan, StepInfo
from reidctl.types import Metrics, Spec


def _step(epoch: int, step: int, loss: float, steps: int = 2) -> StepInfo:
    return StepInfo(epoch, step, steps, 0.1, loss, {"linear": loss / 2}, 0.5)


def _logger(folder: Path, steps: int = 2, every: int = 1) -> Any:
    """At the start of a run whose first epoch has so many steps."""
    logger = loggers.build(Spec(name="tensorboard", every=every), folder=folder, config=None)
    logger.on_start(Plan(folder, "cpu", False, "tiny", 1, 1, {}, {}, epochs=9, steps=steps, images=8, course=""))
    return logger


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
    logger = _logger(tmp_path)
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
        logger = _logger(tmp_path)
        for step in range(first, 3):
            logger.on_step(_step(1, step, loss))
        logger.close()
    assert _points(tmp_path / "tensorboard")["loss"] == [(1, 1.0), (2, 2.0)]


def test_a_run_that_goes_on_with_the_test_of_an_epoch_tells_what_it_finds(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    trained, tested = _logger(tmp_path), _logger(tmp_path)
    for step in (1, 2):
        trained.on_step(_step(1, step, 7.0))
    trained.close()
    tested.on_epoch(_epoch(1))
    tested.close()
    points = _points(tmp_path / "tensorboard")
    assert points["loss"] == [(1, 7.0), (2, 7.0)]
    assert points["market1501/mAP"] == [(2, 0.5)]


@pytest.mark.parametrize("lengths", [(4, 3, 2), (4, 6, 9)])
def test_epochs_of_any_length_go_on_where_the_last_one_ended(tmp_path: Path, lengths: tuple[int, ...]) -> None:
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    for started in (1, 2):
        logger = _logger(tmp_path, steps=4)
        for epoch, steps in enumerate(lengths, start=1):
            # The second process goes on after the second step of the second epoch.
            for step in range(1, steps + 1):
                if started == 1 or (epoch, step) > (2, 2):
                    logger.on_step(_step(epoch, step, 10 * epoch + step, steps))
            if started == 1 or epoch > 1:
                logger.on_epoch(_epoch(epoch))
        logger.close()
    points = _points(tmp_path / "tensorboard")
    places = [place for place, _ in points["loss"]]
    assert places == sorted(set(places))
    assert [value for _, value in points["loss"]] == sorted(value for _, value in points["loss"])
    assert [place for place, _ in points["market1501/mAP"]] == [4, 8, 12]


def test_a_point_is_there_for_every_so_many_steps(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    logger = _logger(tmp_path, steps=4, every=3)
    for epoch, steps in ((1, 4), (2, 2), (3, 4)):
        for step in range(1, steps + 1):
            logger.on_step(_step(epoch, step, 10 * epoch + step, steps))
    logger.close()
    assert _points(tmp_path / "tensorboard")["loss"] == [(3, 13.0), (6, 21.0), (9, 31.0), (12, 34.0)]


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
