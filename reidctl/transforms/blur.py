"""Augmentation of sharpness: a person out of focus."""

from dataclasses import dataclass
from math import ceil
from typing import Annotated

import torch
from annotated_types import Gt, Le
from PIL import Image
from pydantic import Field
from torchvision.transforms.v2 import functional

from reidctl.transforms.chance import Probability, Rising, between, fractions, happens

Width = Annotated[float, Gt(0), Le(10)]


@dataclass(frozen=True)
class RandomBlur:
    """A Gaussian blur.

    Source: the original toolkit; the filter is `torchvision.transforms.v2.functional.gaussian_blur`, one axis after the
    other (the same, in less time). Place: after `resize`, so that it is as strong on every image. With probability p
    the standard deviation is uniform in `sigma` (0…10 pixels, 0 excluded). The filter reaches three of them, but never
    past the image mirrored once.
    """

    p: Probability = 0.2
    sigma: Annotated[
        tuple[Width, Width], Rising, Field(description="smallest and largest standard deviation, in pixels")
    ] = (0.1, 2.0)

    def __call__(self, image: Image.Image) -> Image.Image:
        if not happens(self.p):
            return image
        sigma = between(self.sigma, fractions(1)[0])
        wide, high = (2 * min(ceil(3 * sigma), side - 1) + 1 for side in image.size)
        levels = functional.pil_to_tensor(image).float()  # [3, H, W]
        for kernel in ([wide, 1], [1, high]):
            levels = functional.gaussian_blur(levels, kernel, [sigma, sigma])
        blurred: Image.Image = functional.to_pil_image(levels.round_().to(torch.uint8))
        return blurred
