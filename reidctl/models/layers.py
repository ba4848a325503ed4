"""The elementary layers of OSNet. Paper: https://arxiv.org/abs/1905.00953, section 3.1.

Maps are [B, C, h, w]. No convolution here has a bias: a norm follows, or a layer that has one.
The child names are those of published OSNet weights.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

Norm = Callable[[int], nn.Module]


class InstanceNorm(nn.InstanceNorm2d):
    """Each map normalised by its own mean and deviation, stored as it came: torch's own turns channels first."""

    def forward(self, maps: Tensor) -> Tensor:
        normalised = super().forward(maps)
        if maps.is_contiguous(memory_format=torch.channels_last):
            return normalised.contiguous(memory_format=torch.channels_last)
        return normalised


instance_norm: Norm = partial(InstanceNorm, affine=True)


class ConvLayer(nn.Sequential):
    """Convolution, norm, ReLU; an odd kernel with stride 1 keeps the map's size."""

    conv: nn.Conv2d
    bn: nn.Module
    relu: nn.Module

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, norm: Norm = nn.BatchNorm2d
    ) -> None:
        conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False)
        super().__init__(OrderedDict(conv=conv, bn=norm(out_channels), relu=nn.ReLU(inplace=True)))


class Conv1x1(ConvLayer):
    """1×1 convolution, batch norm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, kernel=1)


class Conv1x1Linear(nn.Sequential):
    """1×1 convolution without activation; `batch_norm=False` leaves the convolution alone (OSNet-AIN)."""

    def __init__(self, in_channels: int, out_channels: int, *, batch_norm: bool = True) -> None:
        super().__init__(OrderedDict(conv=nn.Conv2d(in_channels, out_channels, 1, bias=False)))
        if batch_norm:
            self.bn = nn.BatchNorm2d(out_channels)


class LightConv3x3(nn.Sequential):
    """Lite 3×3 convolution: pointwise, then depthwise 3×3, batch norm, ReLU (figure 3b of the paper)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            OrderedDict(
                conv1=nn.Conv2d(in_channels, out_channels, 1, bias=False),
                conv2=nn.Conv2d(out_channels, out_channels, 3, padding=1, groups=out_channels, bias=False),
                bn=nn.BatchNorm2d(out_channels),
                relu=nn.ReLU(inplace=True),
            )
        )


def convolve_normalised(images: Tensor, norm: nn.InstanceNorm2d, conv: nn.Conv2d) -> Tensor:
    """conv(norm(images)) without the costly gradient of the images that the norm's own parameters would ask for.

    scale·z + shift is linear in the four channels z and 1, the ones zero outside of the image like the rest, so the
    affine step of the norm moves into the kernel.
    """
    assert norm.weight is not None
    assert norm.bias is not None
    channel = (1, -1, 1, 1)
    normalised = functional.instance_norm(images, eps=norm.eps)
    scaled = conv.weight * norm.weight.view(channel)
    shift = (conv.weight * norm.bias.view(channel)).sum(1, keepdim=True)
    four = torch.cat([normalised, torch.ones_like(images[:, :1])], 1)
    if images.is_contiguous(memory_format=torch.channels_last):
        four = four.contiguous(memory_format=torch.channels_last)
    return functional.conv2d(four, torch.cat([scaled, shift], 1), None, conv.stride, conv.padding)


def initialise(network: nn.Module) -> None:
    """Draw the weights of every convolution and linear layer; norms, gates and slopes keep what they were made with.

    Convolutions: He normal over fan-out, gain of ReLU; a depthwise kernel counts all its output channels, so its
    deviation is sqrt(2 / (C·kh·kw)). Linear layers: Normal(0, 0.01). Biases: 0.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
