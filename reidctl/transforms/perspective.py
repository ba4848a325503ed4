"""Augmentation of place: another point of view."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Lt
from PIL import Image
from pydantic import Field
from torchvision.transforms.v2 import RandomPerspective as Perspective

from reidctl.transforms.chance import Probability, happens


@dataclass(frozen=True)
class RandomPerspective:
    """The image as a plane seen from a little aside, at the same size; corners that come in are black.

    Source: the original toolkit; it is `torchvision.transforms.v2.RandomPerspective`. Place: after `resize`. With
    probability p each corner moves inwards along both axes by whole pixels uniform in 0 … distortion (0…1, 1 excluded)
    times half the side, and what lies between follows, interpolated bilinearly. An image one pixel wide or high is left
    as it is.
    """

    p: Probability = 0.2
    distortion: Annotated[
        float, Ge(0), Lt(1), Field(description="furthest that a corner moves, as a share of half a side")
    ] = 0.2

    def __call__(self, image: Image.Image) -> Image.Image:
        if min(image.size) < 2 or not happens(self.p):
            return image
        moved: Image.Image = Perspective(self.distortion, p=1.0)(image)
        return moved
