"""Augmentation of quality: a camera with too little light."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge, Le
from PIL import Image
from pydantic import Field

from reidctl.transforms.chance import Probability, Rising, between, fractions, happens

Amount = Annotated[float, Ge(0), Le(1)]


@dataclass(frozen=True)
class RandomNoise:
    """Gaussian noise, its own in every channel of every pixel.

    Source: the original toolkit. Place: after `resize`, which would average it away. With probability p the standard
    deviation is uniform in `sigma` (0…1 of the range of levels). Sums are rounded and cut to 0…255. It does what
    `torchvision.transforms.v2.functional.gaussian_noise` does, in a sixth of the time.
    """

    p: Probability = 0.2
    sigma: Annotated[
        tuple[Amount, Amount], Rising, Field(description="smallest and largest standard deviation, 1 is 255 levels")
    ] = (0.0, 0.05)

    def __call__(self, image: Image.Image) -> Image.Image:
        if not happens(self.p):
            return image
        sigma = between(self.sigma, fractions(1)[0])
        levels = torch.randn(image.height, image.width, 3).mul_(255 * sigma).numpy()
        levels += np.asarray(image)
        return Image.fromarray(np.clip(np.rint(levels, out=levels), 0, 255, out=levels).astype(np.uint8))
