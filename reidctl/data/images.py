"""Pictures from files and from samples."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from reidctl.errors import InputError
from reidctl.types import ImageSpec, Sample

# What Pillow's decoders raise on damaged files, beside OSError and its UnidentifiedImageError.
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)


def read_image(source: Path | Callable[[], Image.Image]) -> Image.Image:
    """The picture in a file, or the one that `source` draws: RGB, fully decoded.

    A file is taken as it is stored: orientation tags are ignored and transparency is dropped.
    Raises InputError naming the file when it is missing, damaged, cut short or no image.
    """
    if not isinstance(source, Path):
        return _rgb(source())
    try:
        with Image.open(source) as image:
            return _rgb(image)
    except FileNotFoundError as error:
        raise InputError(
            f"{source}: no such image", "`reidctl datasets verify` lists every image that is missing"
        ) from error
    except _DAMAGED as error:
        reason = "not an image" if isinstance(error, UnidentifiedImageError) else str(error)
        hint = "copy the file again or take it out; `reidctl datasets verify` lists every image that cannot be read"
        raise InputError(f"{source}: cannot be read: {reason}", hint) from error


def load_array(sample: Sample, spec: ImageSpec) -> NDArray[np.uint8]:
    """The sample's picture at the size that a network takes: uint8 RGB [spec.height, spec.width, 3].

    Resized with Pillow's bilinear filter, which averages when it shrinks.
    """
    image = read_image(sample.image)
    if image.size != (spec.width, spec.height):
        image = image.resize((spec.width, spec.height), Image.Resampling.BILINEAR)
    return np.asarray(image)


def _rgb(image: Image.Image) -> Image.Image:
    image.load()
    return image if image.mode == "RGB" else image.convert("RGB")
