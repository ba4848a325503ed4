from __future__ import annotations

import json
from functools import cache

import pytest
import torch
from torch import nn

from reidctl.complexity import Complexity, measure
from tests.models.reference import NETWORKS, PARITY, SIZE

PUBLISHED = json.loads((PARITY / "complexity.json").read_text())["models"]


@cache
def measured(preset: str) -> Complexity:
    return measure(NETWORKS[f"model_{preset}"](), SIZE)


@pytest.mark.parametrize("preset", PUBLISHED)
def test_the_retail_networks_cost_what_is_published(preset: str) -> None:
    expected, found = PUBLISHED[preset], measured(preset)
    assert found.parameters == expected["trainable_embedding_params"]
    assert found.folded_parameters == expected["bn_folded_plus_gate_x4"]
    assert found.macs == expected["macs_conv_fc"]
    assert found.gflops == 2 * expected["macs_conv_fc"] / 1e9
    assert found.published_gflops == expected["rule_total"] / 1e9
    assert round(found.published_gflops, 3) == expected["published_gflops"]
    # The published figure of 0267 holds a few hundred constants of its file besides the parameters.
    assert found.folded_parameters / 1e6 == pytest.approx(expected["published_mparams"], abs=1e-3)


def test_a_small_network_costs_what_a_count_by_hand_says() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(48, 5),
    )
    found = measure(network, (8, 6))
    pixels = 8 * 6
    assert found.parameters == 4 * 27 + 2 * 4 + 48 * 5 + 5
    assert found.folded_parameters == 4 * 27 + 4 + 48 * 5 + 5
    assert found.macs == 4 * 27 * pixels + 48 * 5
    assert found.elementwise == 4 * pixels + 2 * 4 * pixels + 4 * 48 + 5
    assert found.feature_maps == {"0": (4, 8, 6), "1": (4, 8, 6), "2": (4, 8, 6), "3": (4, 4, 3)}
    # Kept for the backward pass: the image, the inputs of batch norm, pooling (the ReLU's output too) and linear
    # layer, int64 pooling indices, and for the batch of two the mean and deviation of each channel.
    kept = 4 * (3 * pixels + 4 * pixels + 4 * pixels + 48) + 8 * 48 + 4 * (4 + 4) // 2
    assert found.activation_bytes == kept


def test_a_layer_used_twice_counts_twice_once_folded() -> None:
    shared = nn.Conv2d(3, 3, 1)
    found = measure(nn.Sequential(shared, shared), (4, 4))
    assert (found.parameters, found.folded_parameters) == (12, 24)


def test_the_maps_of_an_osnet_halve_four_times() -> None:
    maps = measured("0265").feature_maps
    assert {name: maps[name] for name in ("conv1", "maxpool", "conv2", "conv3", "conv4", "conv5")} == {
        "conv1": (64, 128, 64),
        "maxpool": (64, 64, 32),
        "conv2": (256, 32, 16),
        "conv3": (384, 16, 8),
        "conv4": (512, 16, 8),
        "conv5": (512, 16, 8),
    }


def test_measuring_leaves_the_network_as_it_was() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout()).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    measure(network, (4, 4))
    assert all(module.training for module in network.modules())
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())
