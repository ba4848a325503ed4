"""Memory of two processes: slots for batches of images, and for the embeddings that come of them."""

from __future__ import annotations

import math
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from reidctl.types import Float32, UInt8

SHARED = Path("/dev/shm")


class Ring(NamedTuple):
    """images [S, B, H, W, 3] uint8 and vectors [S, B, D] float32 of S slots, in a file that both map."""

    images: UInt8
    vectors: Float32


class Shape(NamedTuple):
    """slots, batch, height, width and dim of a ring."""

    slots: int
    batch: int
    height: int
    width: int
    dim: int

    @property
    def image_bytes(self) -> int:
        """How far from the start of the file the vectors begin."""
        return -(-self.slots * self.batch * self.height * self.width * 3 // 64) * 64

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.image_bytes + self.slots * self.batch * self.dim * 4


def reserve(shape: Shape) -> Path:
    """A new file for a ring, in memory where the system has a place for such files and room in it."""
    with suppress(OSError):
        return _reserved(shape.size, SHARED)
    return _reserved(shape.size, Path(tempfile.gettempdir()))


def attach(path: Path, shape: Shape) -> Ring:
    """The ring in a file; what one process writes, the other sees."""
    slots, batch, height, width, dim = shape
    memory = np.memmap(path, np.uint8, "r+", shape=(shape.size,))
    images = memory[: math.prod((slots, batch, height, width, 3))].reshape(slots, batch, height, width, 3)
    return Ring(images, memory[shape.image_bytes :].view(np.float32).reshape(slots, batch, dim))


def _reserved(size: int, folder: Path) -> Path:
    file: IO[bytes]
    with tempfile.NamedTemporaryFile(prefix="reidctl-", dir=folder, delete=False) as file:
        try:
            # A file that only claims its size would kill the process that writes where there is no more room.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
        except OSError:
            Path(file.name).unlink()
            raise
    return Path(file.name)
