"""OSNet-AIN. Paper: Zhou et al., Learning Generalisable Omni-Scale Representations, https://arxiv.org/abs/1910.06827."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from reidctl.models.dropout import NO_DROPOUT, DropoutOptions, build_dropout
from reidctl.models.gates import ChannelGate, LCTGate
from reidctl.models.head import EmbeddingDim
from reidctl.models.layers import Conv1x1, ConvLayer, initialise, instance_norm
from reidctl_osnet_ain.blocks import AINBlock

CHANNELS = (64, 256, 384, 512)
STAGES = ((True, True), (False, True), (True, False))
"""Which blocks of the three stages normalise their branch per image: what the search of the paper found (figure 5)."""

AINPooling = Annotated[
    Literal["avg", "max", "avg+max"], Field(description="how a map becomes a vector; avg+max is the sum of both")
]
LCT = Annotated[bool, Field(description="linear context gates in every block, in the place of channel gates")]


@dataclass(frozen=True)
class AINOptions:
    """What both networks can be told; dropout acts on the branch of every block and, by its p, on the embedding."""

    pooling: AINPooling
    lct_gate: LCT
    dropout: DropoutOptions


class SumPool(nn.Module):
    """Average plus maximum of each map: [B, C, h, w] -> [B, C, 1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.avg, self.max = nn.AdaptiveAvgPool2d(1), nn.AdaptiveMaxPool2d(1)

    def forward(self, maps: Tensor) -> Tensor:
        pooled: Tensor = self.avg(maps) + self.max(maps)
        return pooled


class OSNetAIN(nn.Module):
    """Images [B, 3, H, W], RGB, normalised -> embeddings [B, embedding_dim], not of unit length, in train and in eval.

    The embedding passes a linear layer and a batch norm, and no activation, so that it has either sign. State-dict
    names are those of the original toolkit's weights, without the classifier, which in reidctl belongs to a loss.
    A batch of one cannot be trained on: the batch norm before the embedding has no variance then.
    """

    def __init__(self, options: AINOptions, embedding_dim: int | None, *, input_norm: bool) -> None:
        super().__init__()
        stem, *stages = CHANNELS
        pooled = stages[-1]
        self.input_IN = instance_norm(3) if input_norm else nn.Identity()
        self.conv1 = ConvLayer(3, stem, kernel=7, stride=2, norm=instance_norm)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.conv2 = _stage(stem, stages[0], STAGES[0], options)
        self.pool2 = _transition(stages[0])
        self.conv3 = _stage(stages[0], stages[1], STAGES[1], options)
        self.pool3 = _transition(stages[1])
        self.conv4 = _stage(stages[1], stages[2], STAGES[2], options)
        self.conv5 = Conv1x1(pooled, pooled)
        self.global_pool = _pooling(options.pooling)
        # The original has a head for each target; here there is one.
        self.fc = nn.Sequential()
        if embedding_dim:
            self.fc.append(_head(pooled, embedding_dim, options.dropout.p))
        self.embedding_dim = embedding_dim or pooled
        initialise(self)

    def feature_maps(self, images: Tensor) -> Tensor:
        """The map that is pooled: [B, 3, H, W] -> [B, 512, h, w], 1/16 of the image."""
        maps = self.maxpool(self.conv1(self.input_IN(images)))
        maps = self.pool2(self.conv2(maps))
        maps = self.pool3(self.conv3(maps))
        out: Tensor = self.conv5(self.conv4(maps))
        return out

    def forward(self, images: Tensor) -> Tensor:
        embeddings: Tensor = self.fc(self.global_pool(self.feature_maps(images)).flatten(1))
        return embeddings


def _stage(in_channels: int, out_channels: int, norms: tuple[bool, ...], options: AINOptions) -> nn.Sequential:
    gate = LCTGate if options.lct_gate else ChannelGate
    blocks = []
    for instance_normed in norms:
        dropout = build_dropout(options.dropout)
        blocks.append(AINBlock(in_channels, out_channels, instance_norm=instance_normed, gate=gate, dropout=dropout))
        in_channels = out_channels
    return nn.Sequential(*blocks)


def _transition(channels: int) -> nn.Sequential:
    return nn.Sequential(Conv1x1(channels, channels), nn.AvgPool2d(2))


def _head(in_channels: int, embedding_dim: int, dropout: float) -> nn.Sequential:
    head = nn.Sequential(nn.Linear(in_channels, embedding_dim), nn.BatchNorm1d(embedding_dim))
    return head.append(nn.Dropout(dropout)) if dropout else head


def _pooling(kind: AINPooling) -> nn.Module:
    match kind:
        case "avg":
            return nn.AdaptiveAvgPool2d(1)
        case "max":
            return nn.AdaptiveMaxPool2d(1)
        case "avg+max":
            return SumPool()


def osnet_ain_x1_0(
    embedding_dim: EmbeddingDim = 256,
    pooling: AINPooling = "avg",
    lct_gate: LCT = False,
    dropout: DropoutOptions = NO_DROPOUT,
) -> OSNetAIN:
    """OSNet-AIN at full width: 2.0 M parameters, 0.98 GMAC at 256×128.

    Paper: https://arxiv.org/abs/1910.06827. Instance norms in the stem and in four of six blocks take out what a
    camera adds to an image, so that the network suits cameras that it was not trained on. Any image of 16 pixels or
    more is taken.
    """
    return OSNetAIN(AINOptions(pooling, lct_gate, dropout), embedding_dim, input_norm=False)


def osnet_ain2_x1_0(
    embedding_dim: EmbeddingDim = 256,
    pooling: AINPooling = "avg",
    lct_gate: LCT = False,
    dropout: DropoutOptions = NO_DROPOUT,
) -> OSNetAIN:
    """OSNet-AIN whose images are normalised by their own mean and deviation, too: 2.0 M parameters, 0.98 GMAC.

    Otherwise as `osnet_ain_x1_0`.
    """
    return OSNetAIN(AINOptions(pooling, lct_gate, dropout), embedding_dim, input_norm=True)
