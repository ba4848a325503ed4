"""Feature pyramid: maps of several scales, enriched top-down and fused into one.

Paper: https://arxiv.org/abs/1612.03144, section 3; the fusion is the retail networks' own.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import reduce
from typing import Annotated, Literal

import torch
from annotated_types import Ge
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional


class PyramidOptions(BaseModel):
    """A feature pyramid between the backbone and the pooling."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    dim: Annotated[int, Ge(1), Field(description="channels of every level")] = 256
    process: Annotated[
        Literal["concatenation", "max_pooling", "elementwise_sum"],
        Field(description="how the levels become one map; concatenation adds a 3×3 convolution"),
    ] = "concatenation"


class FeaturePyramid(nn.Module):
    """Fuses maps, fine to coarse, at the size of the coarsest.

    channels: of each map; neighbouring maps differ by a factor of two in size, or not at all.
    [[B, channels[i], h_i, w_i], …] -> [B, out_channels, h, w]. out_channels is `dim`, under `concatenation` that of all
    levels together: coarse to fine, but the coarsest last, as published weights expect it.
    """

    def __init__(self, channels: Sequence[int], options: PyramidOptions) -> None:
        super().__init__()
        *finer, coarsest = channels
        dim, self.process = options.dim, options.process
        self.conv_top = nn.Conv2d(coarsest, dim, 1)
        self.topdown_lateral = nn.ModuleList(
            nn.Sequential(OrderedDict(conv_lateral=nn.Conv2d(width, dim, 1))) for width in reversed(finer)
        )
        self.posthoc = nn.ModuleList(nn.Conv2d(dim, dim, 3, padding=1) for _ in channels)
        self.out_channels = dim * len(channels) if options.process == "concatenation" else dim

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        *finer, coarsest = maps
        top = self.conv_top(coarsest)
        levels = [self.posthoc[0](top)]
        for lateral, posthoc, features in zip(self.topdown_lateral, self.posthoc[1:], reversed(finer), strict=True):
            side = lateral(features)
            if side.shape != top.shape:
                top = functional.interpolate(top, scale_factor=2.0, mode="nearest")
            top = side + top
            levels.append(posthoc(top))
        return self.fuse(levels)

    def fuse(self, levels: Sequence[Tensor]) -> Tensor:
        """levels, coarse to fine, each max-pooled to the size of the first."""
        first, *others = levels
        ratios = [level.shape[2] // first.shape[2] for level in others]
        pooled = [functional.max_pool2d(level, ratio) for level, ratio in zip(others, ratios, strict=True)]
        match self.process:
            case "concatenation":
                return torch.cat([*pooled, first], dim=1)
            case "max_pooling":
                return reduce(torch.maximum, pooled, first)
            case "elementwise_sum":
                return reduce(torch.add, pooled, first)
