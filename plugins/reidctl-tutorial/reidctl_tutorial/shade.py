"""Shade from one side."""

from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge, Le
from PIL import Image
from pydantic import Field

Share = Annotated[float, Ge(0), Le(1)]


class RandomShade:
    """Darkens a picture towards its left or right edge, as beside a shop window.

    RGB picture -> RGB picture of the same size. Draws from torch's generator, as every transform does.
    """

    def __init__(
        self,
        p: Annotated[Share, Field(description="share of images that are changed")] = 0.5,
        darkest: Annotated[Share, Field(description="what is left of the light at the dark edge")] = 0.4,
    ) -> None:
        self.p, self.darkest = p, darkest

    def __call__(self, image: Image.Image) -> Image.Image:
        draw = float(torch.rand(()))
        if draw >= self.p:
            return image
        light = np.linspace(self.darkest, 1, image.width)[:, None]
        if draw < self.p / 2:
            light = light[::-1]
        return Image.fromarray((np.asarray(image) * light).round().astype(np.uint8))
