"""Augmentation by occlusion with a fence: two families of parallel lines over the image."""

from cmath import exp
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, floor, radians, sqrt
from typing import Annotated

from annotated_types import Ge, Le
from PIL import Image, ImageDraw
from pydantic import Field

from reidctl.transforms.chance import Color, Probability, Rising, color, happens, integers

CANVAS = 8
SHIFT = 16

Pixels = Annotated[int, Ge(2), Le(1000)]
Degrees = Annotated[int, Ge(0), Le(180)]
Segment = tuple[float, float, float, float]


@dataclass(frozen=True)
class RandomGrid:
    """A grid of lines at a random distance and angle.

    Source: the original toolkit. Place: before `resize`. With probability p lines every `step` pixels (a whole number
    uniform in its bounds, 2…1000), turned by a whole number of degrees uniform in `angle` (0…180), moved by up to 16
    pixels either way along both axes, in one colour.
    (The original moved them by exactly 16 pixels along the vertical axis and drew colour levels up to 256.)
    Two pixels is what the original's lines of one measure once its canvas has been rotated.
    """

    p: Probability = 0.15
    step: Annotated[
        tuple[Pixels, Pixels], Rising, Field(description="smallest and largest distance of two lines, in pixels")
    ] = (24, 64)
    angle: Annotated[
        tuple[Degrees, Degrees], Rising, Field(description="smallest and largest turn of the grid, in degrees")
    ] = (0, 180)
    thickness: Annotated[int, Ge(1), Le(1000), Field(description="thickness of the lines, in pixels")] = 2
    fill: Annotated[Color | None, Field(description="RGB levels of the lines, 0…255; null for random ones")] = None

    def __call__(self, image: Image.Image) -> Image.Image:
        if not happens(self.p):
            return image
        (step,), (angle,) = integers(*self.step, 1), integers(*self.angle, 1)
        right, down = integers(-SHIFT, SHIFT, 2)
        fill = self.fill or color()
        fenced = image.copy()
        canvas = ImageDraw.Draw(fenced)
        for segment in grid_lines(image.size, step, angle, (right, down)):
            canvas.line(segment, fill=fill, width=self.thickness)
        return fenced


def grid_lines(size: tuple[int, int], step: int, angle: float, shift: tuple[int, int]) -> Iterator[Segment]:
    """The lines (x, y, x, y) that cross an image of `size` (width, height).

    They are those of a canvas eight times the image, with lines from (0, i) to (width, i + step) and from (i, 0) to
    (i + step, height) for every multiple i of step, turned counter-clockwise by `angle` degrees about its centre and
    seen through a window of the image's size, `shift` to the right of and below that centre.
    """
    width, height = CANVAS * size[0], CANVAS * size[1]
    turn = exp(-1j * radians(angle))  # points are x + yi; y points down, so counter-clockwise is negative
    window, reach = complex(*shift), abs(complex(*size)) / 2 + 1
    for apart, towards in ((1j * step, complex(width, step)), (complex(step), complex(step, height))):
        along = towards / abs(towards) * turn
        origin = (-complex(width, height) / 2 * turn - window) / along
        stride = (apart * turn / along).imag  # distance of two neighbours, signed
        bounds = sorted(((-reach - origin.imag) / stride, (reach - origin.imag) / stride))
        for index in range(ceil(bounds[0]), floor(bounds[1]) + 1):
            offset = origin.imag + index * stride
            half = sqrt(reach**2 - offset**2)
            ends = [complex(x, offset) * along + complex(*size) / 2 for x in (-half, half)]
            yield ends[0].real, ends[0].imag, ends[1].real, ends[1].imag
