"""How a feature map becomes one vector per channel: [B, C, h, w] -> [B, C, 1, 1]."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

Pooling = Annotated[
    Literal["conv", "avg", "max", "gmp"],
    Field(description="conv: a learned weight per channel and position; avg, max; gmp: generalised mean"),
]


class GeneralizedMeanPool(nn.Module):
    """(mean of x^p over the map)^(1/p) with one learned p, at first 3.

    Paper: https://arxiv.org/abs/1711.02512, section 3.2. p = 1 is the average, p towards infinity the maximum; values
    below 1e-6 count as 1e-6.
    """

    def __init__(self) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.full((1,), 3.0))

    def forward(self, maps: Tensor) -> Tensor:
        return maps.clamp(min=1e-6).pow(self.p).mean((2, 3), keepdim=True).pow(1 / self.p)


class WeightedPool(nn.Conv2d):
    """A depthwise convolution over the whole map: a learned weight per channel and position, and a bias per channel.

    Trained as the weighted sum that it is, which is several times faster than a convolution's gradient.
    """

    def __init__(self, channels: int, map_size: tuple[int, int]) -> None:
        super().__init__(channels, channels, map_size, groups=channels)

    def forward(self, maps: Tensor) -> Tensor:
        if not self.training:
            return super().forward(maps)
        assert self.bias is not None
        return (maps * self.weight[:, 0]).sum((2, 3), keepdim=True) + self.bias.view(-1, 1, 1)


def build_pooling(kind: Pooling, channels: int, map_size: tuple[int, int]) -> nn.Module:
    """The pooling layer of that kind for maps of `channels` channels and `map_size` (height, width).

    A network with conv takes one image size only.
    """
    match kind:
        case "conv":
            return WeightedPool(channels, map_size)
        case "avg":
            return nn.AdaptiveAvgPool2d(1)
        case "max":
            return nn.AdaptiveMaxPool2d(1)
        case "gmp":
            return GeneralizedMeanPool()
