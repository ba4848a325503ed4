from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from reidctl.models.pooling import GeneralizedMeanPool, build_pooling

MAPS = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]], [[0.0, 0.0], [0.0, 4.0]]]])


def test_average_and_maximum_are_those_of_the_map() -> None:
    assert build_pooling("avg", 2, (2, 2))(MAPS).flatten().tolist() == [3.0, 1.0]
    assert build_pooling("max", 2, (2, 2))(MAPS).flatten().tolist() == [6.0, 4.0]


def test_conv_pooling_weighs_every_position_of_every_channel() -> None:
    pool = build_pooling("conv", 2, (2, 2))
    assert isinstance(pool, nn.Conv2d)
    with torch.no_grad():
        pool.weight.copy_(torch.tensor([[[[1.0, 0.0], [0.0, -1.0]]], [[[0.0, 0.0], [0.0, 2.0]]]]))
        pool.bias.copy_(torch.tensor([10.0, 20.0]))
    assert pool(MAPS).flatten().tolist() == [10 + 1 - 6, 20 + 8]


def test_the_generalised_mean_starts_with_power_three() -> None:
    pool = build_pooling("gmp", 2, (2, 2))
    expected = ((1 + 8 + 27 + 216) / 4) ** (1 / 3)
    assert pool(MAPS).flatten()[0].item() == pytest.approx(expected, rel=1e-6)
    assert {key: tuple(value.shape) for key, value in pool.state_dict().items()} == {"p": (1,)}


@settings(max_examples=50, deadline=None)
@given(st.floats(1, 20), st.integers(0, 2**32 - 1))
def test_the_generalised_mean_lies_between_average_and_maximum(power: float, seed: int) -> None:
    pool = GeneralizedMeanPool().double()
    nn.init.constant_(pool.p, power)
    maps = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 1e-3
    pooled = pool(maps)
    assert (pooled >= maps.mean((2, 3), keepdim=True) - 1e-9).all()
    assert (pooled <= maps.amax((2, 3), keepdim=True) + 1e-9).all()
