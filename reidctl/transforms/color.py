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


@dataclass(frozen=True)
class ColorJitter:
    """Brightness, contrast, saturation and hue changed at random, in random order.

    Source: https://arxiv.org/abs/1312.5402, section 2. Place: after `resize`, where there are the fewest pixels.
    With probability p, factors are uniform in 1 - x … 1 + x for brightness, contrast and saturation and a hue shift is
    uniform in -hue … hue turns of the colour circle (0.5 is the opposite colour). The four steps are those of
    torchvision on float images; only the result is rounded. They are written out here because the arithmetic below
    takes a third of the time of torchvision's on either kind of image, and more than all other augmentations together.
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

    Place: after `color_jitter`. Acts with probability p.
    """

    p: Probability = 0.1

    def __call__(self, image: Image.Image) -> Image.Image:
        if not happens(self.p):
            return image
        luma = image.convert("L")
        return Image.merge("RGB", (luma, luma, luma))


def _planes(image: Image.Image) -> Planes:
    """Red, green and blue [3, H·W] on the scale 0…255."""
    planes = np.empty((3, image.width * image.height), dtype=np.float32)
    for plane, band in zip(planes, image.split(), strict=True):
        plane[:] = np.asarray(band).reshape(-1)
    return planes


def _image(planes: Planes, size: tuple[int, int]) -> Image.Image:
    levels = np.rint(planes, out=planes).astype(np.uint8).reshape(3, size[1], size[0])
    return Image.merge("RGB", [Image.fromarray(plane) for plane in levels])


def _brighten(planes: Planes, change: float) -> None:
    planes *= 1 + change
    np.clip(planes, 0, 255, out=planes)


def _contrast(planes: Planes, change: float) -> None:
    mean = float((LUMA @ planes).mean())
    planes *= 1 + change
    planes -= change * mean
    np.clip(planes, 0, 255, out=planes)


def _saturate(planes: Planes, change: float) -> None:
    luma = LUMA @ planes
    planes *= 1 + change
    planes -= np.multiply(luma, np.float32(change), out=luma)
    np.clip(planes, 0, 255, out=planes)


def _shift_hue(planes: Planes, turns: float) -> None:
    """Turn the hue of every pixel, keeping its largest and smallest level (HSV, turns in -0.5…0.5)."""
    red, green, blue = planes
    highest = np.maximum(np.maximum(red, green), blue)
    lowest = np.minimum(np.minimum(red, green), blue)
    chroma = highest - lowest
    # Hue in sixths of a turn, times chroma: no division, so grey needs no exception.
    hue = red - green + 4 * chroma
    np.copyto(hue, blue - red + 2 * chroma, where=highest == green)
    np.copyto(hue, green - blue, where=highest == red)
    hue += np.float32(6 * turns) * chroma
    circle = 6 * chroma
    hue += circle * (hue < 0)
    hue -= circle * (hue > circle)
    for plane, sector, sign in zip(planes, (3, 2, 4), (1, -1, -1), strict=True):
        # Each channel is a trapezoid over the circle: `chroma` for a third of it, 0 for the opposite third.
        distance = np.abs(hue - sector * chroma)
        level = distance - chroma if sign > 0 else 2 * chroma - distance
        np.add(np.minimum(np.maximum(level, 0, out=level), chroma, out=level), lowest, out=plane)


STEPS = (_brighten, _contrast, _saturate, _shift_hue)
