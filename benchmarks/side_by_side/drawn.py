"""Files to read where there are no photographs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def draw_noise(path: Path, random: np.random.Generator, size: tuple[int, int]) -> None:
    """A JPEG file of noise that was smoothed, height and width as given: about as large as a photograph is."""
    import numpy as np
    from PIL import Image, ImageFilter

    noise = Image.fromarray(random.integers(0, 256, (*size, 3), dtype=np.uint8))
    noise.filter(ImageFilter.GaussianBlur(2)).save(path, quality=90)
