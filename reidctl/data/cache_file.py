"""One file of decoded images that is used as long as it is whole, undamaged and of the same images."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from reidctl.errors import ConfigError
from reidctl.files import is_full, replacing

logger = logging.getLogger(__name__)

_MAGIC = b"reidctl images 1"
_PIECE = 2**24
_TAIL = np.dtype([("magic", "S16"), ("key", "S32"), ("pixels", "<u8"), ("count", "<u8"), ("crc", "<u4")])


class CacheFile:
    """The pixels of all images end to end, then height and width of each, then a tail with the key and a checksum.

    key: 32 characters that are others when the images are. The file is written under another name and renamed, so two
    processes may write it at once, and whoever has the old one mapped keeps it.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path, self.key, self.pixels = path, key, 0

    def shapes(self) -> NDArray[np.int64] | None:
        """[N, 2] height and width of every image; None where there is no such file, or it cannot be used.

        The whole file is read once, for its checksum: that leaves it in the system's own cache, too.
        """
        try:
            with self.path.open("rb") as file:
                found = self._checked(file)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigError(f"data.cache: {self.path} cannot be read: {error.strerror}", "data.cache_dir") from error
        if isinstance(found, str):
            logger.warning("%s is %s: it is made anew", self.path, found)
            return None
        return found

    def write(self, pictures: Iterable[NDArray[np.uint8]]) -> None:
        """Replace the file by one of these images [H, W, 3]; ConfigError where that is not possible."""
        try:
            with replacing(self.path) as temporary, temporary.open("wb") as file:
                shapes, pixels, crc = [], 0, 0
                for picture in pictures:
                    data = np.ascontiguousarray(picture).data
                    crc = zlib.crc32(data, crc)
                    file.write(data)
                    shapes.append(picture.shape[:2])
                    pixels += picture.size
                index = np.array(shapes, dtype="<i8").reshape(-1, 2).tobytes()
                file.write(index)
                file.write(np.array((_MAGIC, self.key, pixels, len(shapes), zlib.crc32(index, crc)), _TAIL).tobytes())
        except OSError as error:
            reason = "the disk is full" if is_full(error) else f"it cannot be written: {error.strerror}"
            raise ConfigError(
                f"data.cache: {self.path}: {reason}", "set data.cache_dir to another disk, or data.cache to none"
            ) from error

    def _checked(self, file: BinaryIO) -> NDArray[np.int64] | str:
        """The shapes, or what is wrong."""
        size = file.seek(0, 2)
        if size < _TAIL.itemsize:
            return "cut short"
        file.seek(size - _TAIL.itemsize)
        tail = np.frombuffer(file.read(), _TAIL)[0]
        pixels, count = int(tail["pixels"]), int(tail["count"])
        if tail["magic"] != _MAGIC or pixels + 16 * count + _TAIL.itemsize != size:
            return "cut short"
        if tail["key"] != self.key.encode():
            return "of images that have changed"
        file.seek(0)
        crc, left = 0, size - _TAIL.itemsize
        piece = memoryview(bytearray(_PIECE))
        while left and (got := file.readinto(piece[: min(left, _PIECE)])):  # type: ignore[attr-defined]
            crc, left = zlib.crc32(piece[:got], crc), left - got
        if left or crc != tail["crc"]:
            return "damaged"
        file.seek(pixels)
        self.pixels = pixels
        return np.frombuffer(file.read(16 * count), "<i8").reshape(-1, 2).astype(np.int64)
