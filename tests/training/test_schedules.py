"""Against the learning rates that the original toolkit used."""

import json
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reidctl.config.schema import TrainConfig
from reidctl.training.schedules import lr_at

TABLES = json.loads((Path(__file__).parents[1] / "parity" / "schedulers.json").read_text())


# single_step repeats the one milestone that it is given.
@pytest.mark.parametrize(
    ("table", "schedule", "milestones"),
    [("multi_step", "multi_step", (40, 50)), ("single_step", "multi_step", (20, 40, 60)), ("cosine", "cosine", ())],
)
def test_the_rate_at_the_start_of_each_epoch_is_the_original_one(
    table: str, schedule: str, milestones: tuple[int, ...]
) -> None:
    options, rates = TABLES[table]["kwargs"], TABLES[table]["lr_used_in_epoch"]
    config = TrainConfig(
        lr=rates[0],
        schedule=schedule,
        milestones=milestones,
        gamma=options.get("gamma", 0.1),
        epochs=options.get("max_epoch", len(rates)),
    )
    assert len(rates) >= 60
    assert [lr_at(config, epoch, 0, 7) for epoch in range(len(rates))] == pytest.approx(rates, rel=1e-9)


def test_multi_step_is_constant_within_an_epoch() -> None:
    config = TrainConfig(schedule="multi_step", milestones=(1,), epochs=2, lr=1.0)
    rates = [lr_at(config, epoch, step, 3) for epoch in range(2) for step in range(3)]
    assert rates == pytest.approx([1, 1, 1, 0.1, 0.1, 0.1])


def test_cosine_falls_with_every_step_to_almost_nothing() -> None:
    config = TrainConfig(schedule="cosine", epochs=3, lr=1.0)
    rates = [lr_at(config, epoch, step, 50) for epoch in range(3) for step in range(50)]
    assert rates[0] == 1
    assert rates == sorted(rates, reverse=True)
    assert rates[75] == pytest.approx(0.5)
    assert rates[-1] == pytest.approx(math.sin(math.pi / 300) ** 2)


@given(warmup=st.integers(1, 5), steps=st.integers(1, 40))
def test_warm_up_rises_by_the_same_amount_with_every_step(warmup: int, steps: int) -> None:
    config = TrainConfig(schedule="constant", warmup_epochs=warmup, epochs=warmup + 1, lr=2.0)
    rates = [lr_at(config, epoch, step, steps) for epoch in range(warmup + 1) for step in range(steps)]
    rising = warmup * steps
    assert rates[:rising] == pytest.approx([2.0 * (k + 1) / rising for k in range(rising)])
    assert rates[rising:] == [2.0] * steps


def test_one_cycle_is_that_of_torch() -> None:
    epochs, steps = 10, 200
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2.0, total_steps=epochs * steps)
    expected = []
    for _ in range(epochs * steps):
        expected.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    config = TrainConfig(schedule="one_cycle", epochs=epochs, lr=2.0)
    found = [lr_at(config, epoch, step, steps) for epoch in range(epochs) for step in range(steps)]
    # Torch ends a step before the last epoch does.
    assert found == pytest.approx(expected, abs=2.0 * 0.003)
    assert found[0] == expected[0]
    assert max(found) == found[600] == 2.0


def test_plateau_leaves_the_rate_to_what_the_run_sees() -> None:
    config = TrainConfig(schedule="plateau", warmup_epochs=1, epochs=3, lr=2.0)
    assert [lr_at(config, epoch, 0, 2) for epoch in range(3)] == [1.0, 2.0, 2.0]


def test_cosine_starts_to_fall_after_the_warm_up() -> None:
    config = TrainConfig(schedule="cosine", warmup_epochs=2, epochs=4, lr=1.0)
    assert lr_at(config, 1, 9, 10) == 1
    assert lr_at(config, 2, 0, 10) == 1
    assert lr_at(config, 3, 0, 10) == pytest.approx(0.5)
