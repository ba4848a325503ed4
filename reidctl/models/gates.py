"""Gates that weigh the channels of a map, and the aggregation of streams through one of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import reduce

import torch
from torch import Tensor, nn


class Gate(nn.Module, ABC):
    """Scales every channel of a map by a weight that depends on the means of its channels: [B, C, h, w] -> same."""

    @abstractmethod
    def weights(self, means: Tensor) -> Tensor:
        """The weights of the channels, from their spatial means, each image on its own: [B, C, 1, 1] -> same."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps * self.weights(_means(maps))


class ChannelGate(Gate):
    """Squeeze-and-excitation gate of OSNet's unified aggregation. Paper: https://arxiv.org/abs/1905.00953, section 3.2.

    The weights are sigmoid(fc2(relu(fc1(means)))).
    The hidden layer has C // 16 channels, so channels is 16 or more.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // 16, 1)
        self.relu = nn.ReLU(inplace=True)
        self.fc2 = nn.Conv2d(channels // 16, channels, 1)

    def weights(self, means: Tensor) -> Tensor:
        return torch.sigmoid(self.fc2(self.relu(self.fc1(means))))


class GroupNorm(nn.GroupNorm):
    """Group norm that also takes one image with one value per group, which torch's own layer refuses."""

    def forward(self, values: Tensor) -> Tensor:
        return torch.group_norm(values, self.num_groups, self.weight, self.bias, self.eps)


class LCTGate(Gate):
    """Linear context transform: channels weighed by their normalised means. Paper: https://arxiv.org/abs/1909.03834.

    The weights are sigmoid(gamma·z + beta); z are the means, normalised within 16 groups of channels, a number that is
    halved until it divides C. gamma starts at 0, beta at 1: at first every weight is sigmoid(1) = 0.731. With C = 16 a
    group is one channel, so z is 0 and the weight the same for every image: in a batch of one too, where the original
    raises.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        groups = 16
        while channels % groups:
            groups //= 2
        self.gn = GroupNorm(groups, channels, eps)
        nn.init.zeros_(self.gn.weight)
        nn.init.ones_(self.gn.bias)

    def weights(self, means: Tensor) -> Tensor:
        return torch.sigmoid(self.gn(means))


def aggregate(gate: Gate, streams: Iterable[Tensor]) -> Tensor:
    """The sum of the streams, each weighed by one shared gate, as OSNet unifies its scales.

    The gate sees the means of all streams as one batch: four small layers become one, and engines that fuse what is
    done to single values into what is done to whole maps, and repeat it for every pixel, cannot.
    """
    maps = tuple(streams)
    together = gate.weights(torch.cat([_means(stream) for stream in maps]))
    weights = torch.split(together, [stream.shape[0] for stream in maps])
    return reduce(torch.add, map(torch.mul, maps, weights))


def _means(maps: Tensor) -> Tensor:
    return maps.mean((2, 3), keepdim=True)
