"""Augmentation by policy: several simple changes at once, the same few for every task."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le
from PIL import Image
from pydantic import Field
from torchvision.transforms import v2

from reidctl.transforms.chance import Probability, happens


@dataclass(frozen=True)
class AugMix:
    """The image mixed with several chains of random changes to it. Paper: https://arxiv.org/abs/1912.02781, section 3.

    It is `torchvision.transforms.v2.AugMix` with the nine operations of the paper, none of them a blur, noise or jitter
    of colour. Place: after `resize`. With probability p each of `width` (1…10) chains makes 1 to 3 changes, each of a
    strength uniform in the first `severity` of ten steps; the shares of the chains are drawn from Dirichlet(alpha),
    that of all chains together from Beta(alpha, alpha); alpha is in 0.01…100.
    """

    p: Probability = 1.0
    severity: Annotated[int, Ge(1), Le(10), Field(description="strongest step of a change, of ten")] = 3
    width: Annotated[int, Ge(1), Le(10), Field(description="number of chains")] = 3
    alpha: Annotated[float, Ge(0.01), Le(100), Field(description="how even the shares are; 1 draws all alike")] = 1.0

    def __call__(self, image: Image.Image) -> Image.Image:
        if not happens(self.p):
            return image
        mixed: Image.Image = v2.AugMix(self.severity, self.width, alpha=self.alpha, all_ops=False)(image)
        return mixed


@dataclass(frozen=True)
class RandAugment:
    """A few changes one after the other, all of one strength. Paper: https://arxiv.org/abs/1909.13719, section 3.

    It is `torchvision.transforms.v2.RandAugment`. Place: after `resize`. With probability p `operations` (1…10) changes
    are drawn from fourteen (none, shears, shifts, a turn, brightness, colour, contrast, sharpness, fewer levels, and so
    on), each of strength `magnitude` (0…30). What comes in at the sides is black.
    """

    p: Probability = 1.0
    operations: Annotated[int, Ge(1), Le(10), Field(description="number of changes")] = 2
    magnitude: Annotated[int, Ge(0), Le(30), Field(description="strength of each, of 30")] = 9

    def __call__(self, image: Image.Image) -> Image.Image:
        if not happens(self.p):
            return image
        changed: Image.Image = v2.RandAugment(self.operations, self.magnitude)(image)
        return changed
