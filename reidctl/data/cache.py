"""Training images that were decoded once, in memory or in a file that is mapped into it.

A cache holds what comes before any randomness: the images as decoded or, where `resize` comes first, resized.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import PIL
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from reidctl.data.cache_file import CacheFile
from reidctl.data.checking import parallel
from reidctl.data.images import read_image
from reidctl.errors import ConfigError
from reidctl.types import Sample

logger = logging.getLogger(__name__)

_BLOCK = 2**26
# Images that are decoded before they are stored, which may be slower.
_AHEAD = 2048


class Files:
    """Pictures read from their files, or drawn, each time."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._samples = samples

    def __call__(self, sample: int) -> Image.Image:
        return read_image(self._samples[sample].image)


class PackedImages:
    """Pictures cut from blocks of memory, which processes share: those forked from this one, and any that torch starts.

    blocks: uint8, any number of them; places[i]: block, offset, height and width of picture i.
    """

    def __init__(self, blocks: Sequence[Tensor], places: NDArray[np.int64]) -> None:
        self._blocks, self._places = blocks, places

    def __call__(self, sample: int) -> Image.Image:
        block, start, height, width = self._places[sample].tolist()
        pixels = self._blocks[block].numpy()[start : start + height * width * 3]
        return Image.frombuffer("RGB", (width, height), pixels, "raw", "RGB", 0, 1)


class MappedImages(PackedImages):
    """Pictures of a cache file, of which the system loads what is looked at; it travels to other processes by name."""

    def __init__(self, path: Path, size: int, shapes: NDArray[np.int64]) -> None:
        self._arguments = path, size, shapes
        places = np.zeros((len(shapes), 4), dtype=np.int64)
        places[:, 2:] = shapes
        places[1:, 1] = np.cumsum(shapes[:-1].prod(axis=1) * 3)
        super().__init__([torch.from_file(str(path), size=size, dtype=torch.uint8)], places)

    def __reduce__(self) -> tuple[type[MappedImages], tuple[Path, int, NDArray[np.int64]]]:
        return MappedImages, self._arguments


class ImageCache:
    """Every picture of `samples`, made once by the first transforms, which draw nothing.

    folder: of the cache file, None for memory.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        transforms: Sequence[Callable[[Image.Image], Image.Image]],
        folder: Path | None,
    ) -> None:
        self._samples, self._transforms, self._folder = samples, transforms, folder
        if folder and not all(isinstance(sample.image, Path) for sample in samples):
            raise ConfigError(
                "data.cache: pictures that are drawn cannot be kept on disk: nothing tells when they change",
                "data.cache=memory keeps them for one run",
            )

    @property
    def applied(self) -> int:
        """How many of the transforms the cached images have behind them."""
        return len(self._transforms)

    def open(self) -> PackedImages:
        """The pictures by index of their sample; made now, unless a file has them.

        Raises ImageError for the first that cannot be read, ConfigError where they do not fit.
        """
        if self._folder is None:
            return _in_memory(self._pixels(), len(self._samples))
        file = CacheFile(self._folder / f"{self._digest(self._names())}.images", self._digest(self._versions()))
        shapes = file.shapes()
        if shapes is None:
            logger.info("decoding %d training images into %s", len(self._samples), file.path)
            file.write(self._pixels())
            shapes = file.shapes()
            if shapes is None:
                raise ConfigError(
                    f"data.cache: {file.path} is not what was written to it",
                    "set data.cache_dir to a folder on a sound disk",
                )
        return MappedImages(file.path, file.pixels, shapes)

    def _pixels(self) -> Iterator[NDArray[np.uint8]]:
        for start in range(0, len(self._samples), _AHEAD):
            yield from parallel(self._pixels_of, self._samples[start : start + _AHEAD])

    def _pixels_of(self, sample: Sample) -> NDArray[np.uint8]:
        picture = read_image(sample.image)
        for transform in self._transforms:
            picture = transform(picture)
        return np.asarray(picture)

    def _names(self) -> Iterator[str]:
        """What tells this cache file from others."""
        yield repr(self._transforms)
        for sample in self._samples:
            yield os.path.abspath(str(sample.image))

    def _versions(self) -> Iterator[str]:
        """What makes its content worthless when it changes."""
        yield f"{PIL.__version__} {torch.__version__}"
        for sample in self._samples:
            state = os.stat(str(sample.image))
            yield f"{state.st_size} {state.st_mtime_ns} {state.st_ino}"

    def _digest(self, lines: Iterator[str]) -> str:
        digest = hashlib.blake2b(digest_size=16)
        for line in lines:
            digest.update(line.encode("utf-8", "surrogateescape") + b"\0")
        return digest.hexdigest()


def _in_memory(pictures: Iterator[NDArray[np.uint8]], count: int) -> PackedImages:
    """Blocks are added as they fill: what is never written to takes no memory."""
    blocks: list[Tensor] = []
    places: list[tuple[int, int, int, int]] = []
    end = room = 0
    for pixels in pictures:
        if end + pixels.size > room:
            end, room = 0, max(_BLOCK, pixels.size)
            _require_memory(room, len(places), count)
            blocks.append(torch.empty(room, dtype=torch.uint8))
        blocks[-1].numpy()[end : end + pixels.size] = pixels.reshape(-1)
        places.append((len(blocks) - 1, end, *pixels.shape[:2]))
        end += pixels.size
    return PackedImages(blocks, np.array(places, dtype=np.int64))


def _require_memory(size: int, done: int, count: int) -> None:
    """A process that takes more than there is would be killed without a word. Where nothing tells, nothing is asked."""
    try:
        told = Path("/proc/meminfo").read_text().partition("MemAvailable:")[2]
        available = int(told.split()[0]) * 1024
    except (OSError, IndexError, ValueError):
        return
    if available < 2 * size:
        raise ConfigError(
            f"data.cache: memory is short after {done:,} of {count:,} training images",
            "data.cache=disk reads them from a file instead",
        )
