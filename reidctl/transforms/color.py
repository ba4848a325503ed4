"""Augmentations of colour; they leave every pixel in its place."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge, Le
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from reidctl.transforms.chance import Probability, fractions, happens

Planes = NDArray[np.float32]
Strength = Annotated[float, Ge(0), Le(1)]

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""Share of red, green and blue in the grey of a pixel (ITU-R BT.601)."""

BLOCK = 8192
"""Pixels whose hues are shifted at a time: few enough for all that is computed to stay in the second-level cache."""


@dataclass(frozen=True)
class ColorJitter:
    """Brightness, contrast, saturation and hue changed at random, in random order.

    Source: https://arxiv.org/abs/1312.5402, section 2. Place: after `resize`, where there are the fewest pixels.
    With probability p, factors are uniform in 1 - x … 1 + x (x 0…1) for brightness, contrast and saturation and a hue
    shift is uniform in -hue … hue (0…0.5) turns of the colour circle (0.5 is the opposite colour). The four steps are
    those of torchvision on float images; only the result is rounded. They are written out here because the arithmetic
    below takes a third of the time of torchvision's on either kind of image, and more than all other augmentations
    together.
    """

    p: Probability = 0.8
    brightness: Annotated[Strength, Field(description="largest change of the brightness factor from 1")] = 0.15
    contrast: Annotated[Strength, Field(description="largest change of the contrast factor from 1")] = 0.15
    saturation: Annotated[Strength, Field(description="largest change of the saturation factor from 1")] = 0.1
    hue: Annotated[float, Ge(0), Le(0.5), Field(description="largest shift of hue, in turns")] = 0.1

    def __call__(self, image: Image.Image) -> Image.Image:
        if not happens(self.p):
            return image
        order = torch.randperm(4).tolist()
        draws = [2 * fraction - 1 for fraction in fractions(4)]
        strengths = (self.brightness, self.contrast, self.saturation, self.hue)
        planes = _planes(image)
        for step in order:
            if strengths[step] > 0:
                STEPS[step](planes, draws[step] * strengths[step])
        return _image(planes, image.size)


@dataclass(frozen=True)
class RandomGray:
    """The image without its colours: three equal channels of ITU-R BT.601 luma.

    Source: the original toolkit. Place: after `color_jitter`. Acts with probability p.
    """

    p: Probability = 0.1

    def __call__(self, image: Image.Image) -> Image.Image:
        if not happens(self.p):
            return image
        luma = image.convert("L")
        return Image.merge("RGB", (luma, luma, luma))


def _planes(image: Image.Image) -> Planes:
    """Red, green and blue [3, H·W] on the scale 0…255."""
    lines = np.frombuffer(image.tobytes("raw", "RGB;L"), dtype=np.uint8).reshape(image.height, 3, image.width)
    planes = np.empty((3, image.height, image.width), dtype=np.float32)
    np.copyto(planes, lines.swapaxes(0, 1))
    return planes.reshape(3, -1)


def _image(planes: Planes, size: tuple[int, int]) -> Image.Image:
    lines = np.empty((size[1], 3, size[0]), dtype=np.uint8)
    levels = np.rint(planes, out=planes).reshape(3, size[1], size[0])
    np.copyto(lines.swapaxes(0, 1), levels, casting="unsafe")
    return Image.frombuffer("RGB", size, lines, "raw", "RGB;L", 0, 1)


def _brighten(planes: Planes, change: float) -> None:
    planes *= 1 + change
    _cut(planes, change)


def _contrast(planes: Planes, change: float) -> None:
    mean = float((LUMA @ planes).mean())
    planes *= 1 + change
    planes -= change * mean
    _cut(planes, change)


def _saturate(planes: Planes, change: float) -> None:
    luma = LUMA @ planes
    planes *= 1 + change
    planes -= np.multiply(luma, np.float32(change), out=luma)
    _cut(planes, change)


def _cut(planes: Planes, change: float) -> None:
    # A smaller factor mixes with levels that are there already: no pixel leaves the scale by more than its rounding.
    if change > 0:
        np.clip(planes, 0, 255, out=planes)


def _shift_hue(planes: Planes, turns: float) -> None:
    """Turn the hue of every pixel, keeping its largest and smallest level (HSV, turns in -0.5…0.5)."""
    for start in range(0, planes.shape[1], BLOCK):
        _turn(planes[:, start : start + BLOCK], turns)


def _turn(planes: Planes, turns: float) -> None:
    """`_shift_hue` of some pixels.

    Hue is an angle in sixths of a turn times chroma: no division, so grey needs no exception.
    """
    red, green, blue = planes
    highest = np.maximum(np.maximum(red, green), blue)
    lowest = np.minimum(np.minimum(red, green), blue)
    chroma = highest - lowest
    # The distance from red, 0…3, is 1 + (g + b - r) where these are levels above the lowest over chroma.
    hue = green + blue
    hue -= red
    hue -= lowest
    hue += chroma
    np.copysign(hue, np.subtract(green, blue, out=green), out=hue)
    hue += np.multiply(chroma, np.float32(6 * turns + 6), out=green)
    # Now 0…12, to be 0…6. The bits of numbers that are not negative rise with them, and those of negative ones are
    # higher: the least bits are those of the remainder.
    less = np.subtract(hue, np.multiply(chroma, np.float32(6), out=green), out=green)
    np.minimum(hue.view(np.uint32), less.view(np.uint32), out=hue.view(np.uint32))
    hue -= np.multiply(chroma, np.float32(3), out=green)
    # Each channel is a trapezoid over the circle: highest for a third of it, lowest for the opposite third.
    top = lowest + 2 * chroma
    np.subtract(top, np.abs(np.add(hue, chroma, out=green), out=green), out=green)
    np.subtract(top, np.abs(np.subtract(hue, chroma, out=blue), out=blue), out=blue)
    np.subtract(np.abs(hue, out=red), np.subtract(chroma, lowest, out=chroma), out=red)
    for plane in planes:
        np.minimum(np.maximum(plane, lowest, out=plane), highest, out=plane)


STEPS = (_brighten, _contrast, _saturate, _shift_hue)
