"""What follows from the number of training images of each class."""

from __future__ import annotations

import torch
from torch import Tensor

from reidctl.errors import ConfigError

RAREST = 1e-4
"""Added to a class's share of the images, so that its weight stays below 10,000."""


def required(class_counts: Tensor | None, num_classes: int, parameter: str) -> Tensor:
    """The counts [C] as they are; ConfigError where `parameter` needs them and they are missing or not positive."""
    if class_counts is None:
        raise ConfigError(f"{parameter} needs class_counts, the images of each class", f"leave {parameter} off")
    if class_counts.shape != (num_classes,) or bool((class_counts < 1).any()):
        raise ConfigError(f"class_counts are not {num_classes} numbers of 1 and up")
    return class_counts


def class_weights(class_counts: Tensor) -> Tensor:
    """[C] images -> [C] weights 1 / (share + 0.0001), scaled so that their mean over the images is 1.

    The original divides by the mean number of classes drawn like images, so that its weights depend on which identity
    has which number.
    """
    shares = class_counts.double() / class_counts.sum()
    weights = 1 / (shares + RAREST)
    return (weights / (weights * shares).sum()).to(torch.get_default_dtype())
