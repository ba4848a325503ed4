"""Each rule's first steps on one weight, worked out from its paper."""

import pytest
import torch
from torch.nn import Parameter

from reidctl.config.schema import TrainConfig
from reidctl.training.optimizers import build_optimizer, parameter_groups, set_lr
from tests.training.stand_ins import Linear, Tiny

RATE, DECAY, WEIGHT, GRADIENT = 0.1, 0.5, 2.0, 3.0
PENALISED = GRADIENT + DECAY * WEIGHT  # 4
SHRUNK = WEIGHT * (1 - RATE * DECAY)  # 1.9

# The first step of Adam is lr in the direction of the gradient: m / (1 - b1) = g, v / (1 - b2) = g².
# RMSprop's is lr g / sqrt(0.01 g²) = 10 lr. RAdam's is lr g: too early for the variance to be known.
FIRST = {
    "adam": WEIGHT - RATE,
    "amsgrad": WEIGHT - RATE,
    "adamw": SHRUNK - RATE,
    "radam": SHRUNK - RATE * GRADIENT,
    "sgd": WEIGHT - RATE * PENALISED,
    "rmsprop": WEIGHT - RATE * 10,
}


def _weight(name: str, *gradients: float) -> float:
    weight = Parameter(torch.tensor([WEIGHT], dtype=torch.float64))
    config = TrainConfig(optimizer=name, lr=RATE, weight_decay=DECAY, momentum=0.5, betas=(0.0, 0.5))
    optimizer = build_optimizer(config, [weight])
    for gradient in gradients:
        weight.grad = torch.full_like(weight, gradient)
        optimizer.step()
    return weight.item()


@pytest.mark.parametrize("name", FIRST)
def test_the_first_step_is_that_of_the_paper(name: str) -> None:
    assert _weight(name, GRADIENT) == pytest.approx(FIRST[name], abs=1e-6)


def test_every_rule_of_the_configuration_is_tested() -> None:
    assert FIRST.keys() == set(TrainConfig.model_fields["optimizer"].annotation.__args__)


def test_sgd_keeps_half_of_its_momentum() -> None:
    first = WEIGHT - RATE * PENALISED
    momentum = 0.5 * PENALISED + (GRADIENT + DECAY * first)
    assert _weight("sgd", GRADIENT, GRADIENT) == pytest.approx(first - RATE * momentum)


def test_amsgrad_divides_by_the_largest_second_moment_seen() -> None:
    # betas (0, 1/2): m is the gradient, v = v/2 + g²/2; corrected by 1 - 2^-t.
    weight, second, largest = WEIGHT, 0.0, 0.0
    for t, gradient in enumerate((10.0, -1.0, -1.0), start=1):
        penalised = gradient + DECAY * weight
        second = second / 2 + penalised**2 / 2
        largest = max(largest, second)
        weight -= RATE * penalised / (largest / (1 - 0.5**t)) ** 0.5
    assert _weight("amsgrad", 10.0, -1.0, -1.0) == pytest.approx(weight, abs=1e-6)
    assert _weight("adam", 10.0, -1.0, -1.0) != pytest.approx(weight, abs=1e-4)


@pytest.mark.parametrize("name", FIRST)
def test_a_frozen_weight_does_not_decay(name: str) -> None:
    frozen = Parameter(torch.ones(3))
    build_optimizer(TrainConfig(optimizer=name), [frozen]).step()
    assert frozen.tolist() == [1, 1, 1]


@pytest.mark.parametrize("name", FIRST)
def test_a_weight_that_thaws_takes_its_first_step_beside_one_that_learned_before(name: str) -> None:
    early, late = (Parameter(torch.tensor([WEIGHT], dtype=torch.float64)) for _ in range(2))
    config = TrainConfig(optimizer=name, lr=RATE, weight_decay=DECAY, momentum=0.5, betas=(0.0, 0.5))
    optimizer = build_optimizer(config, [early, late])
    early.grad = torch.full_like(early, GRADIENT)
    optimizer.step()
    assert late.item() == WEIGHT
    late.grad = torch.full_like(late, GRADIENT)
    optimizer.step()
    assert late.item() == pytest.approx(FIRST[name], abs=1e-6)


def test_groups_hold_every_parameter_once_and_losses_learn_at_the_full_rate() -> None:
    model, losses = Tiny(image_size=(32, 16)), Linear(embedding_dim=6, num_classes=3)
    everything = {id(p) for p in [*model.parameters(), *losses.parameters()]}
    for config, shares in (
        (TrainConfig(), [1.0]),
        (TrainConfig(base_lr_mult=0.1), [0.1, 1.0]),
        (TrainConfig(base_lr_mult=0.1, new_layers=("fc",)), [0.1, 1.0]),
    ):
        groups = parameter_groups(model, losses, config)
        assert [group["lr_mult"] for group in groups] == shares
        held = [id(p) for group in groups for p in group["params"]]
        assert set(held) == everything
        assert len(held) == len(everything)
        assert {id(p) for p in losses.parameters()} <= {id(p) for p in groups[-1]["params"]}
    assert {id(p) for p in groups[1]["params"]} == {id(p) for p in [*model.fc.parameters(), *losses.parameters()]}


def test_the_rate_of_a_group_is_its_share_of_the_rate() -> None:
    model, losses = Tiny(image_size=(32, 16)), Linear(embedding_dim=6, num_classes=3)
    config = TrainConfig(base_lr_mult=0.1, new_layers=("fc",))
    optimizer = build_optimizer(config, parameter_groups(model, losses, config))
    set_lr(optimizer, 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [0.05, 0.5]


def test_the_rate_is_set_for_the_next_step() -> None:
    weight = Parameter(torch.tensor([WEIGHT]))
    optimizer = build_optimizer(TrainConfig(optimizer="sgd", lr=1.0, weight_decay=0.0), [weight])
    set_lr(optimizer, 0.25)
    weight.grad = torch.tensor([GRADIENT])
    optimizer.step()
    assert weight.item() == pytest.approx(WEIGHT - 0.25 * GRADIENT)
