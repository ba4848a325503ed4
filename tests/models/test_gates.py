from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from reidctl.models.gates import ChannelGate, Gate, LCTGate, aggregate


def lct_by_hand(maps: Tensor, gamma: Tensor, beta: Tensor, groups: int) -> Tensor:
    """Section 3 of the paper as loops."""
    out = maps.clone()
    batch, channels = maps.shape[:2]
    size = channels // groups
    for image in range(batch):
        means = [maps[image, channel].mean().item() for channel in range(channels)]
        for channel in range(channels):
            group = means[channel // size * size : (channel // size + 1) * size]
            centre = sum(group) / size
            spread = sum((value - centre) ** 2 for value in group) / size
            z = (means[channel] - centre) / math.sqrt(spread + 1e-5)
            out[image, channel] *= 1 / (1 + math.exp(-(gamma[channel].item() * z + beta[channel].item())))
    return out


@pytest.mark.parametrize(("channels", "groups"), [(64, 16), (96, 16), (48, 16), (72, 8), (32, 16), (24, 8)])
def test_the_linear_gate_is_its_definition(channels: int, groups: int) -> None:
    torch.manual_seed(0)
    gate = LCTGate(channels).double()
    nn.init.normal_(gate.gn.weight)
    nn.init.normal_(gate.gn.bias)
    maps = torch.randn(2, channels, 3, 2, dtype=torch.float64)
    expected = lct_by_hand(maps, gate.gn.weight, gate.gn.bias, groups)
    assert torch.allclose(gate(maps), expected, rtol=1e-12, atol=1e-12)


def test_the_linear_gate_starts_out_the_same_everywhere() -> None:
    maps = torch.ones(2, 32, 4, 4)
    assert torch.allclose(LCTGate(32)(maps), torch.full_like(maps, 0.7310586), atol=1e-7)


@pytest.mark.parametrize("training", [True, False])
def test_the_linear_gate_takes_one_image_with_one_channel_per_group(training: bool) -> None:
    gate = LCTGate(16).train(training)
    nn.init.normal_(gate.gn.weight)
    maps = torch.randn(2, 16, 4, 4)
    assert torch.allclose(gate(maps[:1]), gate(maps)[:1])
    assert torch.allclose(gate(maps), maps * torch.sigmoid(torch.tensor(1.0)), atol=1e-4)


def test_the_channel_gate_is_its_definition() -> None:
    torch.manual_seed(0)
    gate = ChannelGate(32).double()
    maps = torch.randn(1, 32, 3, 2, dtype=torch.float64)
    means = maps.mean((2, 3))[0]
    hidden = [
        max(0.0, sum(w * m for w, m in zip(row.flatten().tolist(), means.tolist(), strict=True)) + bias)
        for row, bias in zip(gate.fc1.weight, gate.fc1.bias.tolist(), strict=True)
    ]
    for channel in range(32):
        weights, bias = gate.fc2.weight[channel].flatten().tolist(), gate.fc2.bias[channel].item()
        value = 1 / (1 + math.exp(-(sum(w * h for w, h in zip(weights, hidden, strict=True)) + bias)))
        assert torch.allclose(gate(maps)[0, channel], maps[0, channel] * value, rtol=1e-12)


def test_a_narrow_channel_gate_has_at_least_one_hidden_channel() -> None:
    assert [ChannelGate(channels).fc1.out_channels for channels in (16, 24, 32)] == [1, 1, 2]


class Squared(Gate):
    """Weighs every channel by its mean."""

    def weights(self, means: Tensor) -> Tensor:
        return means


def test_streams_are_summed_after_the_gate() -> None:
    streams = [torch.full((1, 1, 1, 1), float(value)) for value in (1, 2, 3, 4)]
    assert aggregate(Squared(), streams).item() == 1 + 4 + 9 + 16


@pytest.mark.parametrize("gate", [ChannelGate, LCTGate])
@pytest.mark.parametrize("batch", [1, 3])
def test_streams_gated_together_are_those_gated_one_by_one(gate: type[Gate], batch: int) -> None:
    torch.manual_seed(0)
    weighing = gate(32).double()
    for parameter in weighing.parameters():
        nn.init.normal_(parameter)
    streams = [torch.randn(batch, 32, 3, 2, dtype=torch.float64) for _ in range(4)]
    together = aggregate(weighing, iter(streams))
    assert torch.allclose(together, sum(weighing(stream) for stream in streams), rtol=1e-12)
