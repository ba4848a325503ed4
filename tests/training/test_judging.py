from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reidctl.config import RunConfig
from reidctl.training.judging import is_over, is_tested, judged
from reidctl.training.state import Progress
from reidctl.training.validation import mean_score
from reidctl.types import Metrics
from tests.training.stand_ins import tiny_config


def _course(config: RunConfig, scores: list[float | None], losses: list[float]) -> list[Progress]:
    progress, found = Progress(), []
    for score, loss in zip(scores, losses, strict=True):
        progress = judged(config, progress, score, loss).next_epoch()
        found.append(progress)
    return found


def test_tests_are_due_every_so_many_epochs_and_at_the_end(runs: Path) -> None:
    def tested(**changes: Any) -> list[int]:
        config = tiny_config(runs, train_epochs=5, **changes)
        return [epoch + 1 for epoch in range(5) if is_tested(config, epoch)]

    assert tested(train_eval_every=2) == [2, 4, 5]
    assert tested(train_eval_every=0) == [5]
    assert tested(train_eval_every=1, data_targets=()) == []


def test_the_best_is_the_first_of_the_highest_and_tests_since_then_are_counted(runs: Path) -> None:
    course = _course(tiny_config(runs), [0.2, None, 0.4, 0.4, None, 0.3], [1.0] * 6)
    assert [progress.best for progress in course] == [0.2, 0.2, 0.4, 0.4, 0.4, 0.4]
    assert [progress.stale for progress in course] == [0, 0, 0, 1, 1, 2]


def test_a_run_is_over_when_patience_is_at_its_end(runs: Path) -> None:
    config = tiny_config(runs, train_epochs=9, train_patience=2)
    course = _course(config, [0.4, 0.3, 0.2], [1.0] * 3)
    assert [is_over(config, progress) for progress in course] == [False, False, True]
    patient = tiny_config(runs, train_epochs=9)
    assert not is_over(patient, course[-1])


def test_plateau_drops_the_rate_after_so_many_tests_without_anything_better(runs: Path) -> None:
    config = tiny_config(runs, train_schedule="plateau", train_plateau_patience=2, train_gamma=0.5)
    scores = [0.2, 0.1, None, 0.1, 0.3, 0.3, 0.3, 0.1, 0.1]
    factors = [progress.lr_factor for progress in _course(config, scores, [1.0] * 9)]
    assert factors == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125]


@pytest.mark.parametrize("changes", [{"data_targets": ()}, {"train_eval_every": 0}])
def test_plateau_watches_the_loss_where_nothing_is_tested_on_the_way(runs: Path, changes: dict[str, Any]) -> None:
    config = tiny_config(runs, train_schedule="plateau", train_plateau_patience=1, train_gamma=0.5, **changes)
    factors = [progress.lr_factor for progress in _course(config, [None] * 4, [3.0, 2.0, 2.5, 1.0])]
    assert factors == [1, 1, 0.5, 0.5]


def test_the_other_schedules_watch_nothing(runs: Path) -> None:
    course = _course(tiny_config(runs), [0.3, 0.2, 0.1, 0.0, 0.0, 0.0, 0.0], [1.0] * 7)
    assert course[-1].lr_factor == 1


@pytest.mark.parametrize(("name", "expected"), [("mAP", 0.3), ("mINP", 0.15), ("rank-1", 0.5), ("rank-5", 0.8)])
def test_the_score_is_the_mean_of_the_metric_over_the_targets(name: str, expected: float) -> None:
    def found(mean_ap: float, mean_inp: float, rank1: float, rank5: float) -> Metrics:
        return Metrics({1: rank1, 5: rank5}, mean_ap, mean_inp, valid_queries=3, invalid_queries=0, gallery=9)

    metrics = {"a": found(0.2, 0.1, 0.4, 0.7), "b": found(0.4, 0.2, 0.6, 0.9)}
    assert mean_score(metrics, name) == pytest.approx(expected)
    assert mean_score({}, name) is None
