from __future__ import annotations

from pathlib import Path

import pytest

from reidctl.config import LossSpec
from reidctl.errors import TrainingError
from reidctl.training.lr_finder import HIGHEST, LOWEST, RangeTest, draw_range, find_lr
from tests.training.stand_ins import tiny_config


def test_the_suggested_rate_is_where_the_loss_falls_most_steeply_before_its_lowest() -> None:
    rates = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0]
    assert RangeTest(rates, [5.0, 4.9, 4.0, 2.0, 1.5, 9.0]).suggested == 1e-3
    assert RangeTest(rates, [5.0, 5.1, 5.2, 5.3, 5.4, 9.0]).suggested is None


def test_the_rates_rise_by_equal_factors_and_nothing_is_written(runs: Path) -> None:
    taken: list[int] = []
    found = find_lr(tiny_config(runs, train_optimizer="sgd"), 30, lambda: taken.append(1))
    assert not runs.exists()
    assert len(found.rates) == len(found.losses) == len(taken) >= 20
    assert found.rates[0] == LOWEST
    factor = (HIGHEST / LOWEST) ** (1 / 29)
    assert found.rates == pytest.approx([LOWEST * factor**k for k in range(len(found.rates))])


def test_the_suggested_rate_lowers_the_loss(runs: Path) -> None:
    found = find_lr(tiny_config(runs, train_optimizer="adam"), 60)
    assert found.suggested is not None
    assert LOWEST < found.suggested < HIGHEST


def test_a_single_step_is_taken_at_the_lowest_rate(runs: Path) -> None:
    assert find_lr(tiny_config(runs), 1).rates == [LOWEST]


def test_a_loss_that_is_never_finite_is_an_error(runs: Path) -> None:
    losses = tuple(LossSpec(name="linear", explode=identity) for identity in range(6))
    with pytest.raises(TrainingError, match="not finite at a learning rate of 1e-06"):
        find_lr(tiny_config(runs, losses=losses), 10)


def test_the_picture_is_a_png(runs: Path) -> None:
    draw_range(RangeTest([0.1, 0.2, 0.4], [3.0, 2.0, 1.0]), runs / "lr.png")
    assert (runs / "lr.png").read_bytes().startswith(b"\x89PNG")
