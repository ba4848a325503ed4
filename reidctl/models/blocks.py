"""The omni-scale residual block. Paper: https://arxiv.org/abs/1905.00953, section 3.2."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from reidctl.models.gates import ChannelGate, Gate, aggregate
from reidctl.models.layers import Conv1x1, Conv1x1Linear, InstanceNorm, LightConv3x3


class OSBlock(nn.Module):
    """Four streams of one to four lite 3×3 convolutions, weighed by one shared gate, summed, added to the input.

    [B, in_channels, h, w] -> [B, out_channels, h, w]; the streams have a quarter of the output channels.
    gate: makes the gate for a number of channels; dropout: (branch, block input) -> branch;
    instance_norm: normalise the sum per image before its ReLU (OSNet-IBN).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        gate: Callable[[int], Gate] = ChannelGate,
        dropout: nn.Module | None = None,
        instance_norm: bool = False,
    ) -> None:
        super().__init__()
        middle = out_channels // 4
        self.conv1 = Conv1x1(in_channels, middle)
        self.conv2a = LightConv3x3(middle, middle)
        self.conv2b = nn.Sequential(*(LightConv3x3(middle, middle) for _ in range(2)))
        self.conv2c = nn.Sequential(*(LightConv3x3(middle, middle) for _ in range(3)))
        self.conv2d = nn.Sequential(*(LightConv3x3(middle, middle) for _ in range(4)))
        self.gate = gate(middle)
        self.conv3 = Conv1x1Linear(middle, out_channels)
        same = in_channels == out_channels
        self.downsample = nn.Identity() if same else Conv1x1Linear(in_channels, out_channels)
        self.dropout = dropout
        self.IN = InstanceNorm(out_channels, affine=True) if instance_norm else nn.Identity()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, maps: Tensor) -> Tensor:
        squeezed = self.conv1(maps)
        streams = (stream(squeezed) for stream in (self.conv2a, self.conv2b, self.conv2c, self.conv2d))
        branch = self.conv3(aggregate(self.gate, streams))
        if self.dropout is not None:
            branch = self.dropout(branch, maps)
        out: Tensor = self.relu(self.IN(branch + self.downsample(maps)))
        return out
