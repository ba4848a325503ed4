"""Pictures from files and from samples."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from reidctl.errors import InputError, suggestion
from reidctl.types import ImageSpec, Sample

MOST_PIXELS = 2**26
"""8192 × 8192. A larger picture is refused before it is decoded: no crop of a person has so many, a small file may."""

WRITTEN = (".jpg", ".jpeg", ".png", ".webp")
"""What pictures that we write may end in."""

# What Pillow's decoders raise on damaged files, beside OSError and its UnidentifiedImageError.
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"BM", b"II*\0", b"MM\0*")
_ORIENTATION = 0x0112
# Where Pillow keeps what may hold an orientation; most files have none of these and pay nothing for it.
_TAGS = frozenset({"exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"})
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class ImageError(InputError):
    """A file that gives no picture: `reason` says why, `kind` in a word or two.

    Kinds: missing, empty, truncated, damaged, no image, too large, unreadable.
    """

    def __init__(self, path: Path, kind: str, reason: str) -> None:
        hint = "copy the file again or take it out; `reidctl datasets verify` lists every image that cannot be used"
        super().__init__(f"{path}: {reason}", hint)
        self.path, self.kind, self.reason = path, kind, reason

    def __reduce__(self) -> tuple[type[ImageError], tuple[Path, str, str]]:
        # Of its own, because worker processes send it on, and exceptions are remade from their message alone.
        return ImageError, (self.path, self.kind, self.reason)


def read_image(source: Path | Callable[[], Image.Image]) -> Image.Image:
    """The picture in a file, or the one that `source` draws: RGB, fully decoded, the first of several.

    An orientation tag (EXIF, XMP) is obeyed, unless it is damaged; transparency is dropped; of 16 bits the upper 8
    are kept, as Pillow does for colour. Raises ImageError for a file that is missing, damaged, cut short, no image,
    or larger than MOST_PIXELS.
    """
    if not isinstance(source, Path):
        return _rgb(source())
    try:
        with Image.open(source) as image:
            require_pixels(source, *image.size)
            return _rgb(_upright(image))
    except Image.DecompressionBombError as error:
        raise ImageError(source, "too large", str(error)) from error
    except FileNotFoundError as error:
        reason = f"a link to {source.readlink()}, which is not there" if source.is_symlink() else "no such image"
        raise ImageError(source, "missing", reason) from error
    except _DAMAGED as error:
        raise ImageError(source, *_explained(source, error)) from error


def load_array(sample: Sample, spec: ImageSpec) -> NDArray[np.uint8]:
    """The sample's picture at the size that a network takes: uint8 RGB [spec.height, spec.width, 3].

    Resized with Pillow's bilinear filter, which averages when it shrinks.
    """
    return np.asarray(resized(read_image(sample.image), spec.size))


def load_arrays(images: Sequence[Image.Image], spec: ImageSpec) -> NDArray[np.uint8]:
    """RGB pictures [B, spec.height, spec.width, 3] as `load_array` gives them, in less time where their sizes agree."""
    arrays = np.empty((len(images), *spec.size, 3), np.uint8)
    sizes = [image.size for image in images]
    for size in set(sizes):
        places = [place for place, other in enumerate(sizes) if other == size]
        if _enlarges(size, spec.size):
            arrays[places] = _enlarged(np.stack([np.asarray(images[place]) for place in places]), spec.size)
        else:
            for place in places:
                arrays[place] = np.asarray(resized(images[place], spec.size))
    return arrays


def resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """An RGB picture at `size` (height, width): the pixels of Pillow's bilinear filter, which averages to shrink."""
    height, width = size
    if image.size == (width, height):
        return image
    if _enlarges(image.size, size):
        return Image.frombuffer("RGB", (width, height), _enlarged(np.array(image)[None], size), "raw", "RGB", 0, 1)
    return image.resize((width, height), Image.Resampling.BILINEAR)


def _enlarges(image_size: tuple[int, int], size: tuple[int, int]) -> bool:
    (width, height), (new_height, new_width) = image_size, size
    smaller = height <= new_height and width <= new_width and (height, width) != size
    return smaller and _is_power_of_2(new_height) and _is_power_of_2(new_width)


def _is_power_of_2(side: int) -> bool:
    return side.bit_count() == 1 and side <= 2**12


def _enlarged(pictures: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Pictures [B, h, w, 3] as Pillow enlarges them to sides that are powers of 2, in less than half the time.

    Weights are then multiples of 1 / (2 · side), which have few enough bits for torch's arithmetic to be as exact as
    Pillow's. Other weights torch rounds more: levels differ by 1.
    """
    # Here, for who reads images without resizing them needs no torch.
    import torch
    from torch.nn.functional import interpolate

    pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2)
    larger = interpolate(pixels, size, mode="bilinear", antialias=True).permute(0, 2, 3, 1)
    enlarged: NDArray[np.uint8] = larger.contiguous().numpy()
    return enlarged


def require_picture(path: Path) -> None:
    """InputError for the name of a picture to be written that ends in none of WRITTEN."""
    if path.suffix.lower() not in WRITTEN:
        raise InputError(f"{path}: not a picture's name", suggestion(path.suffix, WRITTEN, "end it in .png"))


def require_pixels(path: Path, width: int, height: int) -> None:
    """Raise ImageError for a picture of more than MOST_PIXELS."""
    if width * height > MOST_PIXELS:
        raise ImageError(
            path, "too large", f"{width} × {height} pixels, more than the {MOST_PIXELS:,} that are decoded"
        )


def _upright(image: Image.Image) -> Image.Image:
    """`image` decoded and turned as its tag says; ImageOps.exif_transpose takes longer, for it also mends the tag."""
    image.load()
    if _TAGS.isdisjoint(image.info):
        return image
    try:
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except (*_DAMAGED, TypeError):
        return image
    return image if turn is None else image.transpose(turn)


def _rgb(image: Image.Image) -> Image.Image:
    image.load()
    match image.mode:
        case "RGB":
            return image
        case "I" | "I;16" | "I;16L" | "I;16B" | "I;16N":
            return _from_16_bits(image).convert("RGB")
        case "F":
            raise ValueError("its pixels are fractions, of which nobody says how bright they are")
        case "P":
            # Straight to RGB, Pillow warns of transparency that is lost.
            return image.convert("RGBA").convert("RGB")
        case _:
            return image.convert("RGB")


def _from_16_bits(image: Image.Image) -> Image.Image:
    """Pillow's own conversion clips: everything above 255 would be white."""
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 0xFFFF:
        raise ValueError("its pixels have more than 16 bits, of which nobody says how bright they are")
    return Image.fromarray((values >> 8).astype(np.uint8))


def _explained(path: Path, error: Exception) -> tuple[str, str]:
    """Kind and reason of what a decoder raised."""
    if isinstance(error, OSError) and error.errno is not None:
        return "unreadable", f"cannot be read: {error.strerror}"
    with path.open("rb") as file:
        start = file.read(4)
    if not start:
        return "empty", "cannot be read: the file is empty"
    if isinstance(error, UnidentifiedImageError):
        if start.startswith(_SIGNATURES):
            return "damaged", "cannot be read: its header is damaged or cut short"
        return "no image", "cannot be read: not an image"
    kind = "truncated" if isinstance(error, EOFError) or "trunc" in str(error).lower() else "damaged"
    return kind, f"cannot be read: {error}"
