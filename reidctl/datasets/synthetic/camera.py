"""How a camera sees: its direction, colours, sharpness and noise."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reidctl.datasets.synthetic.chance import Purpose, generator

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Camera:
    """The constants of one camera.

    heading: the yaw (radians) people mostly have here; pitch: how steeply it looks down, radians;
    light: where it comes from, left (-1) to right (1); gain: of red, green and blue; brightness: grey levels added;
    contrast, saturation: factors; slope: how much brighter the bottom of a picture is than its middle;
    sharpness: share of the pixels of a row that are kept; noise: deviation in grey levels; quality: of JPEG;
    crowding: the chance that something stands in front.
    """

    heading: float
    pitch: float
    light: float
    gain: tuple[float, float, float]
    brightness: float
    contrast: float
    saturation: float
    slope: float
    sharpness: float
    noise: float
    quality: int
    crowding: float


@lru_cache(maxsize=1024)
def camera(seed: int, number: int) -> Camera:
    """The camera `number` of the world `seed`; the same in every process."""
    rng = generator(seed, Purpose.CAMERA, number)
    warmth, tint = rng.uniform(-1, 1), rng.uniform(-1, 1)
    return Camera(
        heading=rng.uniform(-np.pi, np.pi),
        pitch=rng.uniform(0.08, 0.3),
        light=float(rng.choice((-1, 1)) * rng.uniform(0.35, 1.0)),
        gain=(1 + 0.18 * warmth, 1 + 0.08 * tint, 1 - 0.18 * warmth),
        brightness=rng.uniform(-24, 24),
        contrast=rng.uniform(0.78, 1.15),
        saturation=rng.uniform(0.75, 1.2),
        slope=rng.uniform(-0.25, 0.25),
        sharpness=rng.uniform(0.55, 1.0),
        noise=rng.uniform(2, 8),
        quality=int(rng.integers(35, 86)),
        crowding=rng.uniform(0.05, 0.25),
    )


def develop(colours: Image.Image, light: Image.Image, seen_by: Camera, rng: np.random.Generator) -> Image.Image:
    """The picture that `seen_by` makes of the scene's `colours` (RGB) under `light` (L, 128 neutral): RGB."""
    height = colours.height
    slope = np.linspace(1 - seen_by.slope, 1 + seen_by.slope, height, dtype=np.float32)[:, None]
    exposure = seen_by.contrast * rng.uniform(0.8, 1.2)
    gain = np.array(seen_by.gain, np.float32) * rng.uniform(0.94, 1.06, 3).astype(np.float32) * np.float32(exposure)
    pixels = np.asarray(colours, np.float32)
    # No matrix product: its rounding, and with it the picture, would depend on the processor.
    grey = pixels[..., 0] * 0.299 + pixels[..., 1] * 0.587 + pixels[..., 2] * 0.114
    pixels = (pixels - grey[..., None]) * seen_by.saturation + grey[..., None]
    pixels *= (np.asarray(light, np.float32) * (slope / 128))[..., None]
    pixels = pixels * gain + (seen_by.brightness + 128 * (1 - seen_by.contrast))
    return _recorded(_as_image(pixels), seen_by, rng)


def _recorded(image: Image.Image, seen_by: Camera, rng: np.random.Generator) -> Image.Image:
    """Through the lens, the sensor and the JPEG encoder."""
    width, height = image.size
    keep = seen_by.sharpness * rng.uniform(0.75, 1.1)
    if keep < 0.97:
        small = max(round(width * keep), 8), max(round(height * keep), 16)
        image = image.resize(small, Image.Resampling.BILINEAR).resize((width, height), Image.Resampling.BILINEAR)
    # The deviation of a random byte is 74.
    grain = rng.integers(0, 256, (height, width, 3), np.uint8).astype(np.float32) - 127.5
    image = _as_image(np.asarray(image, np.float32) + grain * np.float32(seen_by.noise / 74))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=seen_by.quality)
    return Image.open(file).convert("RGB")


def _as_image(pixels: Float32) -> Image.Image:
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
