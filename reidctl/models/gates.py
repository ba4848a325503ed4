"""Gates that weigh the channels of a map, and the aggregation of streams through one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce

import torch
from torch import Tensor, nn


class ChannelGate(nn.Module):
    """Squeeze-and-excitation gate of OSNet's unified aggregation. Paper: https://arxiv.org/abs/1905.00953, section 3.2.

    [B, C, h, w] -> [B, C, h, w], scaled per image and channel by sigmoid(fc2(relu(fc1(spatial mean)))).
    The hidden layer has C // 16 channels, so channels is 16 or more.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // 16, 1)
        self.relu = nn.ReLU(inplace=True)
        self.fc2 = nn.Conv2d(channels // 16, channels, 1)

    def forward(self, maps: Tensor) -> Tensor:
        hidden = self.relu(self.fc1(maps.mean((2, 3), keepdim=True)))
        return maps * torch.sigmoid(self.fc2(hidden))


class GroupNorm(nn.GroupNorm):
    """Group norm that also takes one image with one value per group, which torch's own layer refuses."""

    def forward(self, values: Tensor) -> Tensor:
        return torch.group_norm(values, self.num_groups, self.weight, self.bias, self.eps)


class LCTGate(nn.Module):
    """Linear context transform: channels weighed by their normalised means. Paper: https://arxiv.org/abs/1909.03834.

    [B, C, h, w] -> [B, C, h, w], scaled per image and channel by sigmoid(gamma·z + beta); z are the spatial means,
    normalised within 16 groups of channels, a number that is halved until it divides C. gamma starts at 0, beta at 1:
    at first every gate is sigmoid(1) = 0.731. With C = 16 a group is one channel, so z is 0 and the gate the same for
    every image: in a batch of one too, where the original raises.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        groups = 16
        while channels % groups:
            groups //= 2
        self.gn = GroupNorm(groups, channels, eps)
        nn.init.zeros_(self.gn.weight)
        nn.init.ones_(self.gn.bias)

    def forward(self, maps: Tensor) -> Tensor:
        return maps * torch.sigmoid(self.gn(maps.mean((2, 3), keepdim=True)))


def aggregate(gate: Callable[[Tensor], Tensor], streams: Iterable[Tensor]) -> Tensor:
    """The sum of the streams, each weighed by one shared gate, as OSNet unifies its scales."""
    return reduce(torch.add, map(gate, streams))
