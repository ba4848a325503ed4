"""Parts by name, for Python programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from reidctl.registry import datasets, models
from reidctl.types import ImageSpec, ReidData, Spec

if TYPE_CHECKING:
    from torch import nn


def list_models() -> list[str]:
    """Every registered model, ours and those of installed packages; imports none of them."""
    return models.names()


def create_model(name: str, image_size: tuple[int, int] = ImageSpec().size, **parameters: Any) -> nn.Module:
    """A registered model with fresh weights, in training mode.

    images [B, 3, H, W] (normalised RGB of `image_size` = (height, width)) -> embeddings [B, D].
    Raises UnknownName, or ConfigError for a parameter that its signature does not have or allow.
    """
    model: nn.Module = models.build(Spec(name=name, **parameters), image_size=image_size)
    return model


def load_dataset(name: str, root: str | Path = "data", **parameters: Any) -> ReidData:
    """A registered data set found below `root`.

    Raises UnknownName, ConfigError for a parameter it does not take, InputError where its files are not there.
    """
    data: ReidData = datasets.build(Spec(name=name, **parameters), root=Path(root))
    return data
