"""Every backbone of timm as `timm/<name>`. https://github.com/huggingface/pytorch-image-models

timm is imported when a member is asked for or the members are listed, not with this module.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Lt
from pydantic import Field
from torch import Tensor, nn

from reidctl.errors import ConfigError, InputError, UnknownName, suggestion
from reidctl.models.head import Activation, EmbeddingDim, build_head
from reidctl.models.layers import initialise
from reidctl.models.pooling import build_pooling

BackbonePooling = Annotated[
    Literal["own", "avg", "max", "gmp"],
    Field(
        description="own: timm's for this backbone (average, class token, attention, with what follows it there); "
        "avg, max, gmp (generalised mean): over the feature map"
    ),
]
HeadDropout = Annotated[float, Ge(0), Lt(1), Field(description="share of the embedding that is dropped in training")]
Pretrained = Annotated[bool, Field(description="start from the published weights; the first time they are downloaded")]

SHARED = """Images [B, 3, H, W] -> embeddings [B, embedding_dim], not of unit length. A tag behind the name says which
published weights, as in `timm/vit_base_patch16_clip_224.openai`; mean and deviation of the images are theirs where the
configuration says nothing else. A backbone that takes one image size only is made for that of the configuration."""

Stated = tuple[tuple[float, ...], tuple[float, ...]]


class TimmEmbedder(nn.Module):
    """A backbone without classifier, pooling, and the head that the OSNets have.

    Images [B, 3, H, W], RGB, normalised -> embeddings [B, embedding_dim], not of unit length, in train and in eval.
    Layers of the backbone that this pooling leaves without a gradient are taken out.
    A batch of one cannot be trained on: the batch norm before the embedding has no variance then.
    """

    def __init__(
        self,
        backbone: nn.Module,
        pooling: BackbonePooling,
        embedding_dim: int | None,
        activation: Activation,
        dropout: float,
        image_size: tuple[int, int],
    ) -> None:
        super().__init__()
        self.backbone: Any = backbone
        self.pooling = None if pooling == "own" else build_pooling(pooling, 0, (0, 0))
        self.fc: nn.Module = nn.Identity()
        self._image_size = image_size
        pooled, idle = self._try_out()
        _take_out(self.backbone, idle)
        self.embedding_dim = embedding_dim or pooled
        if embedding_dim:
            self.fc = build_head(pooled, embedding_dim, activation, dropout)
            initialise(self.fc)

    def feature_maps(self, images: Tensor) -> Tensor:
        """The map that is pooled: [B, 3, H, W] -> [B, C, h, w].

        Of a transformer the patch tokens in their places. With pooling `own` it may be the class token beside them
        that becomes the embedding.
        """
        return self._map(self.backbone.forward_features(images))

    def forward(self, images: Tensor) -> Tensor:
        embeddings: Tensor = self.fc(self._pool(self.backbone.forward_features(images)))
        return embeddings

    def _pool(self, features: Any) -> Tensor:
        """What the backbone puts out -> [B, C]."""
        if self.pooling is None:
            own: Tensor = self.backbone.forward_head(features, pre_logits=True)
            return own
        pooled: Tensor = self.pooling(self._map(features))
        return pooled.flatten(1)

    def _map(self, features: Any) -> Tensor:
        if not isinstance(features, Tensor):
            raise ConfigError("it has no single feature map")
        if features.ndim == 4:
            return features.permute(0, 3, 1, 2) if getattr(self.backbone, "output_fmt", None) == "NHWC" else features
        step = self.backbone.feature_info[-1]["reduction"]
        grid = self._image_size[0] // step, self._image_size[1] // step
        patches = grid[0] * grid[1]
        if features.shape[1] < patches:
            raise ConfigError(f"its {features.shape[1]} tokens are no map of {grid[0]}x{grid[1]}")
        # Class and register tokens come first.
        tokens = features[:, -patches:]
        return tokens.transpose(1, 2).reshape(len(tokens), -1, *grid)

    @torch.inference_mode(False)
    @torch.enable_grad()
    def _try_out(self) -> tuple[int, set[str]]:
        """Length of the pooled features, and the backbone's parameters that no gradient reaches.

        On shapes alone: nothing is computed, and no weight or statistic changes.
        """
        shadow = _shadow(self)
        features = shadow.backbone.forward_features(torch.empty(2, 3, *self._image_size, device="meta"))
        shadow._map(features)
        pooled = shadow._pool(features)
        pooled.sum().backward()  # type: ignore[no-untyped-call]
        parameters = shadow.backbone.named_parameters()
        return pooled.shape[1], {name for name, value in parameters if value.requires_grad and value.grad is None}


def _shadow(network: TimmEmbedder) -> TimmEmbedder:
    """A copy that has the shapes of its weights and not the weights."""
    memory: dict[int, Tensor] = {id(value): value.to("meta") for value in network.buffers()}
    for value in network.parameters():
        memory[id(value)] = nn.Parameter(value.to("meta"), requires_grad=value.requires_grad)
    return copy.deepcopy(network, memory)


def _take_out(network: nn.Module, idle: set[str]) -> None:
    """Put an identity in the place of every layer all of whose parameters are idle."""
    for name, child in network.named_children():
        own = {parameter for parameter, _ in child.named_parameters()}
        below = {parameter.removeprefix(f"{name}.") for parameter in idle if parameter.startswith(f"{name}.")}
        if own and own <= below:
            setattr(network, name, nn.Identity())
        elif below:
            _take_out(child, below)


class TimmModel:
    """Builds one backbone as a network of ours; normalization is (mean, deviation) that its weights expect."""

    def __init__(self, name: str, normalization: Stated | None) -> None:
        self.__name__ = self.__qualname__ = f"timm/{name}"
        self.__doc__ = f"timm's {name} with pooling and head.\n\n{SHARED}"
        self.normalization = normalization
        self._name = name

    def __repr__(self) -> str:
        return f"<model {self.__name__}>"

    def __call__(
        self,
        embedding_dim: EmbeddingDim = 512,
        activation: Activation = "prelu",
        pooling: BackbonePooling = "own",
        dropout: HeadDropout = 0.0,
        pretrained: Pretrained = False,
        *,
        image_size: tuple[int, int],
        restoring: bool = False,
    ) -> TimmEmbedder:
        try:
            backbone = _backbone(self._name, image_size, pretrained=pretrained and not restoring)
            return TimmEmbedder(backbone, pooling, embedding_dim, activation, dropout, image_size)
        except (InputError, MemoryError):
            raise
        except Exception as cause:
            reason = " ".join(str(cause).split()) or type(cause).__name__
            raise ConfigError(
                f"{self.__name__} does not work with images of {image_size[0]}x{image_size[1]}: {reason}",
                "take another image size, multiples of 32 suit most, or another backbone",
            ) from cause


def _backbone(name: str, image_size: tuple[int, int], *, pretrained: bool) -> nn.Module:
    """The network without classifier; InputError where its published weights are not to be had."""
    import timm

    stated = timm.get_pretrained_cfg(name)
    if pretrained and not (stated and stated.has_weights):
        raise InputError(f"nobody has published weights of timm/{name}", "leave pretrained out")
    sized: dict[str, Any] = {"img_size": image_size} if stated and stated.fixed_input_size else {}
    with _quiet_downloads():
        try:
            network: nn.Module = timm.create_model(name, pretrained=pretrained, num_classes=0, **sized)
        except OSError as cause:
            reason = " ".join(str(cause).split())
            raise InputError(
                f"the published weights of timm/{name} are not here and cannot be downloaded: {reason}",
                "connect to the network once, or leave pretrained out; HF_HOME names the folder they are kept in",
            ) from cause
    return network


@contextmanager
def _quiet_downloads() -> Iterator[None]:
    """Every attempt to reach the network is logged by the library as a warning; the error in the end says it once."""
    logger = logging.getLogger("huggingface_hub")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


class TimmFamily:
    """Every backbone of timm, with our pooling and head, by its name there; `timm/<name>.<tag>` says which weights."""

    def names(self) -> list[str]:
        """The architectures, without the tags of their published weights."""
        import timm

        names: list[str] = timm.list_models()
        return names

    def __call__(self, member: str) -> TimmModel:
        import timm

        architecture, dot, tag = member.partition(".")
        if architecture not in self.names():
            raise KeyError(member)
        if dot:
            published = timm.list_models(f"{architecture}.*", pretrained=True)
            if member not in published:
                tags = [name.partition(".")[2] for name in published]
                listing = f"there are: {', '.join(tags)}" if tags else "there are none; leave the tag out"
                raise UnknownName(
                    f"no published weights '{tag}' of timm/{architecture}",
                    suggestion(tag, tags, listing),
                )
        stated = timm.get_pretrained_cfg(member)
        return TimmModel(member, (stated.mean, stated.std) if stated else None)


timm_backbones = TimmFamily()
