"""Where a network looks: the energy of its last feature map, drawn over the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from reidctl.types import Float32, UInt8

GAP = 10
IMAGE_SHARE = 0.3
FENCE = 3


def activation_map(feature_map: Float32, size: tuple[int, int]) -> UInt8:
    """Energy of feature_map [C, h, w] at every place of an image of size (H, W): [H, W], 0 lowest … 255 highest.

    S. Zagoruyko, N. Komodakis, Paying More Attention to Attention, ICLR 2017, section 3.1: the sum over the
    channels of squared activations. Places beyond the outer fence of the map (J. Tukey, Exploratory Data Analysis,
    1977, chapter 2: the upper quartile and 3 times the distance of the quartiles) are shown as lying there: published
    networks keep two corners a thousand times as active as any person. A map that is the same everywhere is 0.
    """
    energy = _fenced(np.square(feature_map, dtype=np.float32).sum(axis=0))
    height, width = size
    resized = np.asarray(Image.fromarray(energy).resize((width, height), Image.Resampling.BILINEAR))
    low, high = resized.min(), resized.max()
    if high == low:
        return np.zeros(size, np.uint8)
    levels: UInt8 = np.rint((resized - low) * (255 / (high - low))).astype(np.uint8)
    return levels


def _fenced(energy: Float32) -> Float32:
    lower, upper = np.quantile(energy, (0.25, 0.75))
    # Where most places are equal there is nothing to measure outliers by.
    return np.minimum(energy, np.float32(upper + FENCE * (upper - lower))) if upper > lower else energy


def draw_activation(image: Image.Image, feature_map: Float32) -> Image.Image:
    """The RGB image, its heat map and both overlaid, side by side on white; the map is feature_map [C, h, w]."""
    original = np.asarray(image.convert("RGB"))
    heat = heat_colors()[activation_map(feature_map, original.shape[:2])]
    overlay = np.rint(IMAGE_SHARE * original + (1 - IMAGE_SHARE) * heat).astype(np.uint8)
    gap = np.full((len(original), GAP, 3), 255, np.uint8)
    return Image.fromarray(np.concatenate([original, gap, heat, gap, overlay], axis=1))


def heat_colors() -> UInt8:
    """[256, 3] RGB from dark blue over green to dark red ("jet"), piecewise linear."""
    level = np.linspace(0, 1, 256)[:, None]
    colors: UInt8 = np.rint(255 * np.clip(1.5 - np.abs(4 * level - np.array([3, 2, 1])), 0, 1)).astype(np.uint8)
    return colors
