"""OSNet and OSNet-IBN. Paper: https://arxiv.org/abs/1905.00953, sections 3.3 and 4."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from torch import Tensor, nn

from reidctl.errors import ConfigError
from reidctl.models.blocks import OSBlock
from reidctl.models.dropout import NO_DROPOUT, DropoutOptions, build_dropout
from reidctl.models.fpn import FeaturePyramid, PyramidOptions
from reidctl.models.gates import ChannelGate, LCTGate
from reidctl.models.head import Activation, EmbeddingDim, build_head
from reidctl.models.layers import Conv1x1, ConvLayer, convolve_normalised, initialise, instance_norm
from reidctl.models.pooling import Pooling, build_pooling


@dataclass(frozen=True)
class Variant:
    """What tells the members of the family apart; the defaults are those of the paper's OSNet.

    channels: of the stem and the three stages; ibn: instance norm in the stem and the blocks of the first stage;
    input_norm: instance norm on the image and in the stem; lct_gate, dropout: in all but the first block of a stage.
    """

    channels: tuple[int, int, int, int]
    ibn: bool = False
    input_norm: bool = False
    blocks: int = 2
    lct_gate: bool = False
    lct_eps: float = 1e-5
    dropout: DropoutOptions = NO_DROPOUT
    fpn: PyramidOptions | None = None
    pooling: Pooling = "avg"
    activation: Activation = "relu"


X1_0 = Variant(channels=(64, 256, 384, 512))
X0_75 = Variant(channels=(48, 192, 288, 384))
X0_5 = Variant(channels=(32, 128, 192, 256))
X0_25 = Variant(channels=(16, 64, 96, 128))


class OSNet(nn.Module):
    """Images [B, 3, H, W], RGB, normalised -> embeddings [B, embedding_dim], not of unit length, in train and in eval.

    State-dict names are those of published OSNet weights, without the classifier, which here belongs to a loss.
    A batch of one cannot be trained on: the batch norm before the embedding has no variance then.
    """

    def __init__(self, variant: Variant, embedding_dim: int | None, image_size: tuple[int, int]) -> None:
        super().__init__()
        map_size = feature_map_size(image_size, pyramid=variant.fpn is not None)
        stem, *stages = variant.channels
        pooled = stages[-1]
        norm = instance_norm if variant.ibn or variant.input_norm else nn.BatchNorm2d
        self.conv1 = ConvLayer(3, stem, kernel=7, stride=2, norm=norm)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.conv2 = _stage(variant, stem, stages[0], instance_norm=variant.ibn).append(_transition(stages[0]))
        self.conv3 = _stage(variant, stages[0], stages[1]).append(_transition(stages[1]))
        self.conv4 = _stage(variant, stages[1], stages[2])
        self.conv5 = Conv1x1(pooled, pooled)

        fpn, fusion = None, None
        if variant.fpn:
            fpn = FeaturePyramid(variant.channels, variant.fpn)
            if variant.fpn.process == "concatenation":
                pooled = embedding_dim or pooled
                fusion = ConvLayer(fpn.out_channels, pooled, kernel=3)
            else:
                pooled = fpn.out_channels

        # Parameters are stored in the order of registration, and published weights have the pyramid last.
        self.global_avgpool = build_pooling(variant.pooling, pooled, map_size)
        self.fc = (
            build_head(pooled, embedding_dim, variant.activation, variant.dropout.p) if embedding_dim else nn.Identity()
        )
        self.in_first = instance_norm(3) if variant.input_norm else nn.Identity()
        self.fpn = fpn
        self.fpn_extra_conv = fusion
        self.embedding_dim = embedding_dim or pooled
        initialise(self)

    def feature_maps(self, images: Tensor) -> Tensor:
        """The map that is pooled: [B, 3, H, W] -> [B, C, h, w], 1/16 of the image."""
        stem = self.maxpool(self._stem(images))
        fine = self.conv2(stem)
        middle = self.conv3(fine)
        maps: Tensor = self.conv5(self.conv4(middle))
        if self.fpn is not None:
            maps = self.fpn([stem, fine, middle, maps])
        if self.fpn_extra_conv is not None:
            maps = self.fpn_extra_conv(maps)
        return maps

    def _stem(self, images: Tensor) -> Tensor:
        maps: Tensor
        if self.training and isinstance(self.in_first, nn.InstanceNorm2d):
            maps = convolve_normalised(images, self.in_first, self.conv1.conv)
            maps = self.conv1.relu(self.conv1.bn(maps))
        else:
            maps = self.conv1(self.in_first(images))
        return maps

    def forward(self, images: Tensor) -> Tensor:
        embeddings: Tensor = self.fc(self.global_avgpool(self.feature_maps(images)).flatten(1))
        return embeddings


def feature_map_size(image_size: tuple[int, int], *, pyramid: bool = False) -> tuple[int, int]:
    """(height, width) of the last map: two halvings that round up, then two that round down.

    A pyramid doubles its maps back, so it takes only multiples of 16.
    """
    size = (-(-image_size[0] // 4) // 4, -(-image_size[1] // 4) // 4)
    shown = f"image size {image_size[0]}x{image_size[1]}"
    if min(size) < 1:
        raise ConfigError(f"{shown} leaves OSNet no feature map", "take 13 pixels or more; 256x128 is usual")
    if pyramid and (image_size[0] % 16 or image_size[1] % 16):
        raise ConfigError(f"{shown} does not fit a feature pyramid", "take multiples of 16, or leave fpn out")
    return size


def _stage(variant: Variant, in_channels: int, out_channels: int, *, instance_norm: bool = False) -> nn.Sequential:
    first = OSBlock(in_channels, out_channels, instance_norm=instance_norm)
    gate = partial(LCTGate, eps=variant.lct_eps) if variant.lct_gate else ChannelGate
    others = (
        OSBlock(
            out_channels,
            out_channels,
            gate=gate,
            dropout=build_dropout(variant.dropout),
            instance_norm=instance_norm,
        )
        for _ in range(variant.blocks - 1)
    )
    return nn.Sequential(first, *others)


def _transition(channels: int) -> nn.Sequential:
    return nn.Sequential(Conv1x1(channels, channels), nn.AvgPool2d(2))


def osnet_x1_0(embedding_dim: EmbeddingDim = 512, *, image_size: tuple[int, int]) -> OSNet:
    """OSNet at full width: 2.2 M parameters, 0.98 GMAC at 256×128."""
    return OSNet(X1_0, embedding_dim, image_size)


def osnet_x0_75(embedding_dim: EmbeddingDim = 512, *, image_size: tuple[int, int]) -> OSNet:
    """OSNet at three quarters of the width: 1.3 M parameters, 0.57 GMAC at 256×128."""
    return OSNet(X0_75, embedding_dim, image_size)


def osnet_x0_5(embedding_dim: EmbeddingDim = 512, *, image_size: tuple[int, int]) -> OSNet:
    """OSNet at half the width: 0.6 M parameters, 0.27 GMAC at 256×128."""
    return OSNet(X0_5, embedding_dim, image_size)


def osnet_x0_25(embedding_dim: EmbeddingDim = 512, *, image_size: tuple[int, int]) -> OSNet:
    """OSNet at a quarter of the width: 0.2 M parameters, 0.08 GMAC at 256×128."""
    return OSNet(X0_25, embedding_dim, image_size)


def osnet_ibn_x1_0(embedding_dim: EmbeddingDim = 512, *, image_size: tuple[int, int]) -> OSNet:
    """OSNet-IBN: instance norm in the stem and after the blocks of the first stage, for cameras not trained on.

    2.2 M parameters, 0.98 GMAC at 256×128.
    """
    return OSNet(replace(X1_0, ibn=True), embedding_dim, image_size)
