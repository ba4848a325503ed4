"""Can every image of a run be used? Asked before the first epoch, so cheap enough for a hundred thousand files."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from reidctl.data.images import ImageError, read_image, require_pixels
from reidctl.data.problems import Problem
from reidctl.processor import usable_cores
from reidctl.types import Sample

Item = TypeVar("Item")
Result = TypeVar("Result")

_HEAD, _TAIL = 2**16, 64
_START, _END, _SCAN = b"\xff\xd8\xff", b"\xff\xd9", 0xDA
# Segments that hold no size: those between the start-of-frame codes are tables.
_NO_FRAME = frozenset({0xC4, 0xC8, 0xCC})
# One task for many images: handing a thread a single small one costs more than reading it.
_CHUNK = 128


def bad_images(samples: Iterable[Sample], *, decoded: bool = False) -> dict[Path, Problem]:
    """The files among the images of `samples` that give no picture, each with the reason.

    decoded: decode every file, which takes an epoch's reading and misses nothing. Otherwise of a JPEG file the
    beginning and the end are read: the segments up to the picture, its size, and the end mark. One that is not in
    order there, and every file of another format, is decoded in full. What that leaves unseen is damage in the middle
    of a JPEG file: mostly it shows as grey or shifted blocks and is no error at all, sometimes it stops the run when
    it is that image's turn. Drawn pictures are not drawn.
    """
    paths = list(dict.fromkeys(sample.image for sample in samples if isinstance(sample.image, Path)))
    problems = parallel(partial(problem_of, decoded=decoded), paths)
    return {path: problem for path, problem in zip(paths, problems, strict=True) if problem}


def problem_of(path: Path, *, decoded: bool = False) -> Problem | None:
    """Why the file gives no picture, None when it does; without `decoded` from the ends of a JPEG file alone."""
    try:
        if decoded or not _complete_jpeg(path):
            require_file(path)
            read_image(path)
    except ImageError as error:
        return Problem(error.kind, str(path), error.reason)
    return None


def require_file(path: Path) -> None:
    """Raise ImageError for a pipe or a device, which would be waited for without end."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise ImageError(path, "no image", "cannot be read: neither a file nor a link to one")


def parallel(
    function: Callable[[Item], Result], items: Sequence[Item], done: Callable[[int], None] | None = None
) -> Iterator[Result]:
    """function of each item, in order, by one thread a core; `done` is told how many are finished each time."""
    chunks = [items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK)]
    with ThreadPoolExecutor(usable_cores()) as pool:
        for results in pool.map(lambda chunk: [function(item) for item in chunk], chunks):
            if done:
                done(len(results))
            yield from results


def _complete_jpeg(path: Path) -> bool:
    """Whether the file begins and ends as a JPEG picture of a size that is decoded."""
    try:
        # Without waiting where the path turns out to be a pipe.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError:
        return False
    try:
        head = os.read(descriptor, _HEAD)
        if len(head) == _HEAD:
            os.lseek(descriptor, -_TAIL, os.SEEK_END)
            tail = os.read(descriptor, _TAIL)
        else:
            tail = head[-_TAIL:]
    except OSError:
        return False
    finally:
        os.close(descriptor)
    size = _jpeg_size(head)
    if size is None or not tail.rstrip(b"\0").endswith(_END):
        return False
    require_pixels(path, *size)
    return True


def _jpeg_size(head: bytes) -> tuple[int, int] | None:
    """(width, height) from the start of a JPEG file; None where its segments do not lead from a size to the picture."""
    if not head.startswith(_START):
        return None
    size, place = None, 2
    while place + 9 <= len(head) and head[place] == 0xFF:
        marker = head[place + 1]
        if marker == _SCAN:
            return size
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAME:
            height, width = int.from_bytes(head[place + 5 : place + 7]), int.from_bytes(head[place + 7 : place + 9])
            size = (width, height) if width and height else None
        place += 2 + int.from_bytes(head[place + 2 : place + 4])
    return None
