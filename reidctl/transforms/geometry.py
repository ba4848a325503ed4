"""Augmentations of place: which pixels are seen, and where; and the resize that feeds the network.

The operations are Pillow's, to which torchvision.transforms.v2 hands PIL images on, pixel for pixel the same; called
directly they are faster, and two seconds of imports are spared.
"""

from dataclasses import KW_ONLY, dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le
from PIL import Image, ImageOps
from pydantic import Field

from reidctl.data.images import resized
from reidctl.transforms.chance import Probability, between, fractions, happens, integers


@dataclass(frozen=True)
class Resize:
    """The whole image at the network's size, its aspect ratio given up.

    Source: the original toolkit. Pillow's bilinear filter, widened when it shrinks (antialiased). Place: augmentations
    listed before it see the image as the data set has it, those after it see height x width of the network.
    """

    _: KW_ONLY
    image_size: tuple[int, int]

    def __call__(self, image: Image.Image) -> Image.Image:
        return resized(image, self.image_size)


@dataclass(frozen=True)
class RandomCrop:
    """A window of the image, at random.

    Source: https://papers.nips.cc/paper/4824, section 4.1. Place: before `resize`. With probability p each side is cut
    to a share uniform in scale … 1 (scale 0…1, 0 excluded), independently of the other, and the window placed
    uniformly. With `align` the window has the network's height : width instead: the largest such window, times one
    share. (The original aligned always, whatever it was told.)
    """

    p: Probability = 1.0
    scale: Annotated[float, Gt(0), Le(1), Field(description="smallest share of a side that is kept")] = 0.9
    align: Annotated[bool, Field(description="give the window the aspect ratio of the network's input")] = False
    _: KW_ONLY
    image_size: tuple[int, int]

    def __call__(self, image: Image.Image) -> Image.Image:
        if not happens(self.p):
            return image
        tall, wide, down, right = fractions(4)
        height, width = float(image.height), float(image.width)
        if self.align:
            ratio = self.image_size[0] / self.image_size[1]
            height, width, wide = min(height, width * ratio), min(width, height / ratio), tall
        height = max(1, round(height * between((self.scale, 1), tall)))
        width = max(1, round(width * between((self.scale, 1), wide)))
        top = int(down * (image.height - height + 1))
        left = int(right * (image.width - width + 1))
        return image.crop((left, top, left + width, top + height))


@dataclass(frozen=True)
class RandomPadding:
    """A grey border, at random; the person becomes smaller and moves off the centre.

    Source: the original toolkit. Place: before `resize`. With probability p the four sides grow by whole numbers
    uniform in 0 … largest (0…1000) pixels, all of one grey level uniform in 0…255. (The level stands in all three
    channels, as the original meant it; what that filled depended on the version of its libraries.)
    """

    p: Probability = 0.25
    largest: Annotated[int, Ge(0), Le(1000), Field(description="most pixels added to a side")] = 10

    def __call__(self, image: Image.Image) -> Image.Image:
        if not happens(self.p):
            return image
        left, top, right, bottom = integers(0, self.largest, 4)
        (level,) = integers(0, 255, 1)
        return ImageOps.expand(image, (left, top, right, bottom), (level, level, level))


@dataclass(frozen=True)
class RandomFlip:
    """Left and right exchanged, with probability p.

    Source: https://papers.nips.cc/paper/4824, section 4.1. Place: after `resize`, where there are the fewest pixels;
    anywhere gives the same images.
    """

    p: Probability = 0.5

    def __call__(self, image: Image.Image) -> Image.Image:
        return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if happens(self.p) else image


@dataclass(frozen=True)
class RandomRotate:
    """Turned about the centre, at the same size; corners that come in are black, pixels the nearest ones.

    Source: the original toolkit. Place: after `resize`. With probability p by a whole number of degrees uniform in
    -angle … angle (0…180), 0 among them.
    """

    p: Probability = 0.33
    angle: Annotated[int, Ge(0), Le(180), Field(description="largest turn either way, in degrees")] = 5

    def __call__(self, image: Image.Image) -> Image.Image:
        if not happens(self.p):
            return image
        (degrees,) = integers(-self.angle, self.angle, 1)
        return image.rotate(degrees)
