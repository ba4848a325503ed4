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


def build_pooling(kind: Pooling, channels: int, map_size: tuple[int, int]) -> nn.Module:
    """The pooling layer of that kind for maps of `channels` channels and `map_size` (height, width).

    conv is a depthwise convolution over the whole map, with bias, so a network that has one takes one image size only.
    """
    match kind:
        case "conv":
            return nn.Conv2d(channels, channels, map_size, groups=channels)
        case "avg":
            return nn.AdaptiveAvgPool2d(1)
        case "max":
            return nn.AdaptiveMaxPool2d(1)
        case "gmp":
            return GeneralizedMeanPool()
