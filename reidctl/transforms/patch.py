"""Augmentation by occlusion: a piece of another training image in front of the person."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Annotated

from annotated_types import Ge, Le
from PIL import Image
from pydantic import Field

from reidctl.data.images import read_image
from reidctl.transforms.boxes import Box, Ratio, Share, random_box
from reidctl.transforms.chance import Probability, Rising, fractions, happens, integers
from reidctl.types import Sample


@dataclass(frozen=True)
class RandomPatch:
    """A rectangle of the image covered with one of another training image, perhaps mirrored and turned.

    Source: https://arxiv.org/abs/1910.06827. Place: after `resize`, before what changes colours. With probability p a
    rectangle's share of the image is uniform in `area` (0…1, 0 excluded) and its height : width uniform in `aspect`
    (0.01…100), drawn anew until it fits (up to 100 times; else the image is left as it is). The other image is any of
    the training images, taken at this one's size. Its piece is mirrored with probability 0.5 and, again with 0.5,
    turned by a whole number of degrees uniform in -angle … angle (0…180) about its centre, corners that come in left
    out.
    The original cut the pieces from images that the same process had seen before, so that they depended on the number
    of processes; here they are drawn from all images, at the cost of reading a second one.
    """

    p: Probability = 0.5
    area: Annotated[
        tuple[Share, Share], Rising, Field(description="smallest and largest share of the image that is covered")
    ] = (0.01, 0.5)
    aspect: Annotated[
        tuple[Ratio, Ratio], Rising, Field(description="smallest and largest height : width of the piece")
    ] = (0.1, 10.0)
    angle: Annotated[int, Ge(0), Le(180), Field(description="largest turn of the piece either way, in degrees")] = 10
    _: KW_ONLY
    samples: Sequence[Sample] = field(repr=False)

    def __call__(self, image: Image.Image) -> Image.Image:
        if not happens(self.p):
            return image
        box = random_box(image.size, self.area, self.aspect)
        if box is None:
            return image
        piece, mask = self._varied(self._piece(image.size, box))
        covered = image.copy()
        covered.paste(piece, box[:2], mask)
        return covered

    def _piece(self, size: tuple[int, int], box: Box) -> Image.Image:
        """As large as `box`, from any place of any training image that is scaled to `size`."""
        (chosen,) = integers(0, len(self.samples) - 1, 1)
        width, height = box[2] - box[0], box[3] - box[1]
        down, right = fractions(2)
        left, top = int(right * (size[0] - width + 1)), int(down * (size[1] - height + 1))
        other = read_image(self.samples[chosen].image)
        across, along = other.width / size[0], other.height / size[1]
        # The bounds again, because a product of fractions may exceed them by its rounding.
        part = (
            left * across,
            top * along,
            min((left + width) * across, other.width),
            min((top + height) * along, other.height),
        )
        return other.resize((width, height), Image.Resampling.BILINEAR, box=part)

    def _varied(self, piece: Image.Image) -> tuple[Image.Image, Image.Image | None]:
        """The piece, mirrored and turned or not, and the mask of what is left of it."""
        if happens(0.5):
            piece = piece.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if not happens(0.5):
            return piece, None
        (degrees,) = integers(-self.angle, self.angle, 1)
        return piece.rotate(degrees), Image.new("L", piece.size, 255).rotate(degrees)
