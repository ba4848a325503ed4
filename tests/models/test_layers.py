from __future__ import annotations

import json
import math

import pytest
import torch
from torch import nn

from reidctl.models.layers import Conv1x1Linear, ConvLayer, LightConv3x3, initialise, instance_norm
from tests.models.reference import NETWORKS, PARITY

STATISTICS = json.loads((PARITY / "init_stats.json").read_text())["stats"]


@pytest.mark.parametrize("preset", STATISTICS)
def test_initial_weights_are_distributed_like_the_references(preset: str) -> None:
    torch.manual_seed(0)
    state = NETWORKS[f"model_{preset}"]().state_dict()
    compared = 0
    for key, (mean, deviation) in STATISTICS[preset].items():
        if key.startswith("classifier."):
            continue
        found, count = state[key].double(), state[key].numel()
        # Both are samples: a mean of n draws is off by deviation / sqrt(n), a deviation by 1 / sqrt(2n) of itself.
        assert found.mean().item() == pytest.approx(mean, abs=7 * deviation / math.sqrt(count) + 1e-7)
        assert found.std(correction=0).item() == pytest.approx(deviation, rel=7 / math.sqrt(2 * count), abs=1e-7)
        compared += 1
    assert compared > 400


def test_a_depthwise_kernel_counts_every_output_channel_as_fan_out() -> None:
    torch.manual_seed(0)
    pool = nn.Conv2d(512, 512, (16, 8), groups=512)
    initialise(pool)
    assert pool.weight.std().item() == pytest.approx(math.sqrt(2 / (512 * 128)), rel=0.02)
    assert pool.bias is not None
    assert not pool.bias.any()


def test_a_layer_with_stride_one_keeps_the_size_of_its_map() -> None:
    maps = torch.randn(2, 3, 7, 5)
    assert ConvLayer(3, 4, kernel=7)(maps).shape == (2, 4, 7, 5)
    assert LightConv3x3(3, 4)(maps).shape == (2, 4, 7, 5)
    assert ConvLayer(3, 4, kernel=7, stride=2)(maps).shape == (2, 4, 4, 3)


def test_instance_norm_keeps_no_statistics_and_uses_each_images_own() -> None:
    norm = instance_norm(2).eval()
    assert list(norm.state_dict()) == ["weight", "bias"]
    maps = torch.randn(3, 2, 4, 4) * torch.tensor([1.0, 5.0, 9.0]).view(3, 1, 1, 1)
    normalised = norm(maps)
    assert normalised.mean((2, 3)).abs().max().item() < 1e-6
    assert torch.allclose(normalised.var((2, 3), correction=0), torch.ones(3, 2), atol=1e-3)


def test_a_linear_layer_without_batch_norm_is_one_convolution() -> None:
    assert list(Conv1x1Linear(4, 8, batch_norm=False).state_dict()) == ["conv.weight"]
    assert [key for key in Conv1x1Linear(4, 8).state_dict() if key.startswith("bn.")] != []
