"""The residual blocks of OSNet-AIN. Paper: https://arxiv.org/abs/1910.06827, section 3.3 and figure 5."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from reidctl.models.gates import ChannelGate, Gate, aggregate
from reidctl.models.layers import Conv1x1, Conv1x1Linear, InstanceNorm, LightConv3x3


class LightConvStream(nn.Module):
    """`depth` lite 3×3 convolutions one after the other: [B, C, h, w] -> [B, C, h, w]."""

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(LightConv3x3(channels, channels) for _ in range(depth)))

    def forward(self, maps: Tensor) -> Tensor:
        out: Tensor = self.layers(maps)
        return out


class AINBlock(nn.Module):
    """Four streams of one to four lite 3×3 convolutions, weighed by one shared gate, summed, added to the input.

    [B, in_channels, h, w] -> [B, out_channels, h, w]; the streams have a quarter of the output channels.
    instance_norm: the sum of the streams is normalised per image, instead of over the batch, before it is added.
    dropout: (branch, block input) -> branch; acts on the normalised branch.
    The child names are those of the original's weights.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        instance_norm: bool,
        gate: Callable[[int], Gate] = ChannelGate,
        dropout: nn.Module | None = None,
    ) -> None:
        super().__init__()
        middle = out_channels // 4
        self.conv1 = Conv1x1(in_channels, middle)
        self.conv2 = nn.ModuleList(LightConvStream(middle, depth) for depth in (1, 2, 3, 4))
        self.gate = gate(middle)
        self.conv3 = Conv1x1Linear(middle, out_channels, batch_norm=not instance_norm)
        same = in_channels == out_channels
        self.downsample = nn.Identity() if same else Conv1x1Linear(in_channels, out_channels)
        self.IN = InstanceNorm(out_channels, affine=True) if instance_norm else nn.Identity()
        self.dropout = dropout
        self.relu = nn.ReLU(inplace=True)

    def forward(self, maps: Tensor) -> Tensor:
        squeezed = self.conv1(maps)
        branch = self.IN(self.conv3(aggregate(self.gate, (stream(squeezed) for stream in self.conv2))))
        if self.dropout is not None:
            branch = self.dropout(branch, maps)
        out: Tensor = self.relu(branch + self.downsample(maps))
        return out
