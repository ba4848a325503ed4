"""Sharpness-aware steps, worked out on a quadratic."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import Parameter

from reidctl.training.sharpness import at_the_peak


def test_the_weights_move_by_rho_along_the_gradient_of_all_and_come_back_exactly() -> None:
    # Loss x² + 2 y² at (3, 2): gradient (6, 8), norm 10. With rho 1 the peak is at (3.6, 2.8).
    x, y, still = (Parameter(torch.tensor([value])) for value in (3.0, 2.0, 5.0))
    (x**2 + 2 * y**2).sum().backward()
    with at_the_peak(nn.Identity(), [x, y, still], 1.0):
        assert (x.item(), y.item(), still.item()) == pytest.approx((3.6, 2.8, 5.0))
    assert (x.item(), y.item(), still.item()) == (3.0, 2.0, 5.0)


def test_statistics_are_those_of_the_weights_not_of_the_peak() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    rows = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    model(rows).square().mean().backward()
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    with at_the_peak(model, list(model.parameters()), 0.5):
        model(rows)
        assert not torch.equal(model[1].running_mean, before["1.running_mean"])
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.named_buffers())


def test_a_gradient_of_zero_moves_nothing() -> None:
    weight = Parameter(torch.ones(3))
    weight.grad = torch.zeros(3)
    with at_the_peak(nn.Identity(), [weight], 1.0):
        assert weight.tolist() == [1, 1, 1]
