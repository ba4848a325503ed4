"""Images that belong to no data set: a file, a folder, or a list of paths."""

from __future__ import annotations

from pathlib import Path

from reidctl.data.names import distinct
from reidctl.errors import InputError
from reidctl.types import Sample

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


def listed_images(path: Path) -> tuple[Sample, ...]:
    """The images of a folder (with those below it, by path) or named by the lines of a text file, or the one image.

    They are nobody's: identity -1, camera 0. Paths in a list count from the list's folder. Names are the paths without
    suffix below the folder, with `/` as `__`, numbered where two would be called alike. Raises InputError where there
    is nothing.
    """
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
    elif path.suffix.lower() in SUFFIXES:
        files = [path]
    else:
        files = _read_list(path)
    if not files:
        raise InputError(f"{path}: no images", f"images end in {', '.join(sorted(SUFFIXES))}")
    base = path if path.is_dir() else path.parent
    names = distinct([_name(file, base) for file in files])
    return tuple(Sample(file, name, identity=-1, camera=0) for file, name in zip(files, names, strict=True))


def _read_list(path: Path) -> list[Path]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise InputError(
            f"{path}: {error.strerror or error}", "give an image, a folder of images, or a list of paths"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: neither an image nor a text file with one path a line") from error
    files = {number: path.parent / line.strip() for number, line in enumerate(lines, start=1) if line.strip()}
    for number, file in files.items():
        if file == path.parent or not file.name:
            raise InputError(f"{path}, line {number}: {file} names no file", "give the path of an image, one a line")
    return list(files.values())


def _name(file: Path, base: Path) -> str:
    below = file.relative_to(base) if file.is_relative_to(base) else Path(file.name)
    return "__".join(below.with_suffix("").parts)
