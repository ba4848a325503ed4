from __future__ import annotations

import pytest
import torch
from torch import nn

from reidctl.models.blocks import OSBlock
from reidctl.models.gates import LCTGate


@pytest.mark.parametrize("instance_norm", [False, True])
@torch.no_grad()
def test_a_block_adds_its_gated_streams_to_its_input(instance_norm: bool) -> None:
    torch.manual_seed(0)
    block = OSBlock(64, 64, instance_norm=instance_norm).eval()
    maps = torch.randn(2, 64, 6, 4)
    squeezed = block.conv1(maps)
    total = torch.zeros_like(squeezed)
    for stream, depth in zip((block.conv2a, block.conv2b, block.conv2c, block.conv2d), (1, 2, 3, 4), strict=True):
        assert sum(isinstance(layer, nn.Conv2d) for layer in stream.modules()) == 2 * depth
        total += block.gate(stream(squeezed))
    added = block.IN(block.conv3(total) + maps)
    assert torch.allclose(block(maps), added.clamp(min=0), atol=1e-6)
    assert isinstance(block.IN, nn.InstanceNorm2d) == instance_norm


def test_a_block_that_changes_the_width_projects_its_input() -> None:
    assert any(key.startswith("downsample.") for key in OSBlock(32, 64).state_dict())
    assert not any(key.startswith("downsample.") for key in OSBlock(64, 64).state_dict())
    assert OSBlock(32, 64)(torch.randn(2, 32, 6, 4)).shape == (2, 64, 6, 4)


def test_a_block_takes_another_gate_and_leaves_its_input_alone() -> None:
    block = OSBlock(64, 64, gate=LCTGate)
    assert isinstance(block.gate, LCTGate)
    maps = torch.randn(2, 64, 6, 4)
    before = maps.clone()
    block(maps)
    assert torch.equal(maps, before)


def test_dropout_sees_the_branch_and_the_input_of_its_block() -> None:
    seen = []

    class Zero(nn.Module):
        def forward(self, branch: torch.Tensor, block_input: torch.Tensor) -> torch.Tensor:
            seen.append(block_input)
            return torch.zeros_like(branch)

    maps = torch.randn(2, 64, 6, 4)
    assert torch.equal(OSBlock(64, 64, dropout=Zero())(maps), maps.clamp(min=0))
    assert torch.equal(seen[0], maps)
