"""Augmentation by occlusion: a part of the person is hidden."""

from dataclasses import dataclass
from typing import Annotated

from PIL import Image
from pydantic import Field

from reidctl.transforms.boxes import Ratio, Share, random_box
from reidctl.transforms.chance import Color, Probability, Rising, happens


@dataclass(frozen=True)
class RandomErase:
    """Random erasing: one upright rectangle takes a plain colour. Paper: https://arxiv.org/abs/1708.04896, algorithm 1.

    Place: last, after `resize`, so that nothing moves or tints the rectangle. With probability p its share of the image
    is uniform in `area` and its height : width uniform in `aspect` (0.01…100), drawn anew until it fits (up to 100
    times), its place uniform. The image is left as it is where nothing fits.
    The original drew this rectangle but never changed an image with it: it took the channels of its tensor for rows.
    Here it erases. The default fill is the original's, 0.4914, 0.4822, 0.4465 of 255.
    """

    p: Probability = 0.5
    area: Annotated[
        tuple[Share, Share], Rising, Field(description="smallest and largest share of the image that is erased")
    ] = (0.2, 0.4)
    aspect: Annotated[
        tuple[Ratio, Ratio], Rising, Field(description="smallest and largest height : width of the rectangle")
    ] = (0.3, 3.3)
    fill: Annotated[Color, Field(description="RGB levels of the rectangle, 0…255")] = (125, 123, 114)

    def __call__(self, image: Image.Image) -> Image.Image:
        if not happens(self.p):
            return image
        box = random_box(image.size, self.area, self.aspect)
        if box is None:
            return image
        erased = image.copy()
        erased.paste(self.fill, box)
        return erased
