"""How freed memory is kept on a CPU."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

# From glibc's malloc.h.
TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4
KEEP = {MMAP_MAX: 0, TRIM_THRESHOLD: -1, TOP_PAD: 64 << 20}
DEFAULT = {MMAP_MAX: 65_536, TRIM_THRESHOLD: 128 << 10, TOP_PAD: 128 << 10}


@contextmanager
def kept_memory() -> Iterator[None]:
    """Within the block, freed memory stays with the process, and is given back after it.

    glibc hands every freed tensor of more than 32 MB back to the system, which clears it, page by page, before the
    next step gets it again: a tenth of a training step on a CPU. Does nothing with another C library.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    library = ctypes.CDLL(None)
    _set(library, KEEP)
    try:
        yield
    finally:
        _set(library, DEFAULT)
        library.malloc_trim(0)


def _set(library: ctypes.CDLL, options: dict[int, int]) -> None:
    for option, value in options.items():
        library.mallopt(option, value)
