"""Pictures inside a page."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Hashable
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageOps

from reidctl.data.images import read_image

SIZE = (96, 192)
QUALITY = 70
# A page holds no more pictures than about this many, each of 2 to 4 KB.
KEPT = 4096


def thumbnail(source: Path | Callable[[], Image.Image]) -> str:
    """The picture of a sample as a data URI: WebP, at most SIZE (width, height), its shape kept.

    InputError for an image that cannot be read.
    """
    # What cannot be hashed is made again: its id may be another's once it is gone.
    return _kept(source) if isinstance(source, Hashable) else _made(source)


def _made(source: Path | Callable[[], Image.Image]) -> str:
    picture = ImageOps.contain(read_image(source), SIZE, Image.Resampling.LANCZOS)
    held = io.BytesIO()
    picture.save(held, "WEBP", quality=QUALITY, method=4)
    return f"data:image/webp;base64,{base64.b64encode(held.getvalue()).decode('ascii')}"


_kept = lru_cache(KEPT)(_made)
