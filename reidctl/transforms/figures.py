"""Augmentation by clutter: plain figures over the image."""

from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge, Le
from PIL import Image, ImageDraw
from pydantic import Field

from reidctl.transforms.chance import Probability, Rising, color, happens, integers

Pixels = Annotated[int, Ge(1), Le(1000)]
Point = tuple[int, int]

BLACK = (0, 0, 0)


@dataclass(frozen=True)
class RandomFigures:
    """A line, the outline of a rectangle and the outline of a circle, each at random.

    Source: the original toolkit. Place: before `resize`. With probability p each of the three is drawn with probability
    figure_p (so none of them with (1 - figure_p)³), or exactly one, any with the same probability, if `single`. Ends,
    corners and centres are uniform over the image, thickness and radius whole pixels uniform in their bounds
    (1…1000), colours uniform in 0…255 per channel. (The original drew levels up to 256, which its library cut to 255.)
    Outlines are not antialiased.
    """

    p: Probability = 0.33
    figure_p: Annotated[Probability, Field(description="probability of each figure")] = 0.5
    single: Annotated[bool, Field(description="draw exactly one figure")] = False
    random_color: Annotated[bool, Field(description="draw in random colours instead of black")] = True
    thickness: Annotated[
        tuple[Pixels, Pixels], Rising, Field(description="smallest and largest thickness of outlines, in pixels")
    ] = (1, 6)
    radius: Annotated[
        tuple[Pixels, Pixels], Rising, Field(description="smallest and largest radius of the circle, in pixels")
    ] = (5, 64)

    def __call__(self, image: Image.Image) -> Image.Image:
        if not happens(self.p):
            return image
        drawn = image.copy()
        canvas = ImageDraw.Draw(drawn)
        for figure in self._figures():
            ink = color() if self.random_color else BLACK
            (thickness,) = integers(*self.thickness, 1)
            first, second = _point(image), _point(image)
            if figure == "line":
                canvas.line((first, second), fill=ink, width=thickness)
            elif figure == "rectangle":
                canvas.rectangle(_box(first, second, thickness), outline=ink, width=thickness)
            else:
                (radius,) = integers(*self.radius, 1)
                x, y = first
                box = _box((x - radius, y - radius), (x + radius, y + radius), thickness)
                canvas.ellipse(box, outline=ink, width=thickness)
        return drawn

    def _figures(self) -> list[str]:
        figures = ["line", "rectangle", "circle"]
        if self.single:
            return [figures[integers(0, 2, 1)[0]]]
        return [figure for figure in figures if happens(self.figure_p)]


def _point(image: Image.Image) -> Point:
    return int(torch.randint(0, image.width + 1, ()).item()), int(torch.randint(0, image.height + 1, ()).item())


def _box(first: Point, second: Point, thickness: int) -> tuple[int, int, int, int]:
    """The box whose outline, drawn inwards as Pillow does, is centred on the one between two corners."""
    (left, right), (top, bottom) = sorted((first[0], second[0])), sorted((first[1], second[1]))
    half = thickness // 2
    return left - half, top - half, right + half, bottom + half
