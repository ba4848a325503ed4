"""Against the recurrence written out for one weight at a time."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from reidctl.training.averaging import Average
from tests.training.stand_ins import Tiny


def test_the_average_follows_the_recurrence_with_its_warm_up() -> None:
    source = nn.Linear(1, 1, bias=False)
    source.weight.data.fill_(1.0)
    average, expected = Average(source, 0.5), 1.0
    for update in range(1, 30):
        source.weight.data.fill_(float(update**2))
        average.update()
        kept = min(0.5, (1 + update) / (10 + update))
        expected = kept * expected + (1 - kept) * update**2
        assert average.model.weight.item() == pytest.approx(expected, rel=1e-6)


def test_statistics_are_averaged_and_counters_copied() -> None:
    source = Tiny(image_size=(32, 16))
    average = Average(source, 0.999)
    before = average.model.stem[1].running_mean.clone()
    source(torch.rand(4, 3, 32, 16, generator=torch.Generator().manual_seed(0)))
    average.update()
    kept = 2 / 11
    expected = kept * before + (1 - kept) * source.stem[1].running_mean
    torch.testing.assert_close(average.model.stem[1].running_mean, expected)
    assert average.model.stem[1].num_batches_tracked == 1


def test_the_average_is_a_network_of_its_own_that_does_not_learn() -> None:
    source = Tiny(image_size=(32, 16))
    average = Average(source, 0.9)
    assert not any(parameter.requires_grad for parameter in average.model.parameters())
    assert all(parameter.requires_grad for parameter in source.parameters())
    source.fc.weight.data.zero_()
    assert average.model.fc.weight.abs().sum() > 0
