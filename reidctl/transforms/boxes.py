"""Upright rectangles of random share, shape and place: what random erasing hides and random patches cover."""

from __future__ import annotations

from math import sqrt
from typing import Annotated

from annotated_types import Ge, Gt, Le

from reidctl.transforms.chance import between, fractions

ATTEMPTS = 100

Share = Annotated[float, Gt(0), Le(1)]
Ratio = Annotated[float, Ge(0.01), Le(100)]
Box = tuple[int, int, int, int]


def random_box(size: tuple[int, int], area: tuple[float, float], aspect: tuple[float, float]) -> Box | None:
    """(left, top, right, bottom) inside an image of `size` (width, height).

    Its share of the image is uniform in `area` and its height : width uniform in `aspect`, both drawn anew until the
    box fits, its place uniform. None where none of 100 fits. https://arxiv.org/abs/1708.04896, algorithm 1.
    """
    for _ in range(ATTEMPTS):
        share, shape, down, right = fractions(4)
        pixels, ratio = between(area, share) * size[0] * size[1], between(aspect, shape)
        height, width = round(sqrt(pixels * ratio)), round(sqrt(pixels / ratio))
        if 0 < height <= size[1] and 0 < width <= size[0]:
            top, left = int(down * (size[1] - height + 1)), int(right * (size[0] - width + 1))
            return left, top, left + width, top + height
    return None
