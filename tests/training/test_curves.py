"""Loss and mAP as a picture, from the first epoch on."""

from __future__ import annotations

import pytest

from reidctl.training.curves import figure_of

ROWS = [
    {"epoch": 1, "loss": 3.0},
    {"epoch": 2, "loss": 2.0, "market1501.mAP": 0.4},
    {"epoch": 3, "loss": 1.5},
    {"epoch": 4, "loss": 1.25, "market1501.mAP": 0.5, "mine.mAP": 0.75},
]


def test_loss_of_every_epoch_and_map_of_the_tested_ones() -> None:
    loss, tested = figure_of(ROWS).axes
    assert [line.get_xydata().tolist() for line in loss.get_lines()] == [[[1, 3], [2, 2], [3, 1.5], [4, 1.25]]]
    found = {line.get_label(): line.get_xydata().tolist() for line in tested.get_lines()}
    assert found == {"market1501.mAP": [[2, 0.4], [4, 0.5]], "mine.mAP": [[4, 0.75]]}
    assert tested.get_ylim() == (0, 1)


@pytest.mark.parametrize("epochs", [1, 2, 4])
def test_epochs_are_whole_and_each_is_a_point(epochs: int) -> None:
    (loss, *_) = figure_of(ROWS[:epochs]).axes
    assert all(tick == round(tick) for tick in loss.get_xticks())
    assert loss.get_lines()[0].get_marker() == "."


def test_without_tests_there_is_one_axis() -> None:
    assert len(figure_of(ROWS[:1]).axes) == 1
