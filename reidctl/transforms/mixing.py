"""Augmentations of whole batches: each image becomes one of two people, in known shares."""

from dataclasses import dataclass
from math import sqrt
from typing import Annotated

import torch
from annotated_types import Ge, Le
from pydantic import Field
from torch import Tensor

from reidctl.transforms.chance import Probability, fractions, happens
from reidctl.types import Mixed

Evenness = Annotated[
    float, Ge(0.01), Le(100), Field(description="how even the two shares are; 1 draws all alike, less mixes less")
]


@dataclass(frozen=True)
class Mixup:
    """Each image blended with another one of its batch. Paper: https://arxiv.org/abs/1710.09412, section 2.

    Place: on the normalised batch. With probability p the share of the image itself is drawn from Beta(alpha, alpha)
    (alpha 0.01…100), one for the batch, and images are paired by a random permutation (an image may meet itself or its
    own identity).
    images [B, 3, H, W] float, labels [B] -> the blended images, the partners' labels and that share.
    """

    p: Probability = 1.0
    alpha: Evenness = 0.2

    def __call__(self, images: Tensor, labels: Tensor) -> Mixed:
        if not happens(self.p):
            return Mixed(images, labels, 1.0)
        share, others = _share(self.alpha), _permutation(labels)
        return Mixed(torch.lerp(images[others], images, share), labels[others], share)


@dataclass(frozen=True)
class CutMix:
    """A rectangle of each image replaced by that of another one of its batch. Paper: https://arxiv.org/abs/1905.04899.

    Place: on the normalised batch. With probability p a share is drawn from Beta(alpha, alpha) (alpha 0.01…100), one
    for the batch; the rectangle has 1 minus that share of the area, the image's height : width and a centre uniform
    over the image, and is cut off at its edges. Images are paired by a random permutation (an image may meet itself or
    its own identity).
    images [B, 3, H, W] float, labels [B] -> the images, the partners' labels and the share of pixels that stayed.
    """

    p: Probability = 1.0
    alpha: Evenness = 1.0

    def __call__(self, images: Tensor, labels: Tensor) -> Mixed:
        if not happens(self.p):
            return Mixed(images, labels, 1.0)
        others, (height, width) = _permutation(labels), images.shape[2:]
        side = sqrt(1 - _share(self.alpha))
        down, right = fractions(2)
        rows, columns = _stretch(height, side, down), _stretch(width, side, right)
        mixed = images.clone()
        mixed[:, :, rows, columns] = images[:, :, rows, columns][others]
        replaced = (rows.stop - rows.start) * (columns.stop - columns.start)
        return Mixed(mixed, labels[others], 1 - replaced / (height * width))


def _share(alpha: float) -> float:
    """A number from Beta(alpha, alpha)."""
    return float(torch.distributions.Beta(alpha, alpha).sample())


def _permutation(labels: Tensor) -> Tensor:
    """Drawn on the CPU, so that it is the same on every device."""
    return torch.randperm(len(labels)).to(labels.device, non_blocking=True)


def _stretch(size: int, share: float, centre: float) -> slice:
    """`share` of `size` pixels around the pixel at the fraction `centre`, as far as they lie inside."""
    middle, length = int(centre * size), round(share * size)
    start = middle - length // 2
    return slice(max(start, 0), min(start + length, size))
