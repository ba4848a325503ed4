"""`reidctl search --picture` and `--show`: what was found, as pictures."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reidctl.cli.output import output
from reidctl.errors import ConfigError, InputError

if TYPE_CHECKING:
    from PIL.Image import Image

    from reidctl.types import Sample


def require_drawable(picture: Path | None, show: bool, queries: Sequence[str], force: bool) -> None:
    """Raise before anything is computed what would stop the pictures afterwards."""
    if show and sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise InputError("--show: there is no display here", "--picture FILE writes the picture instead")
    if picture is None:
        return
    from reidctl.files import refuse_existing
    from reidctl.retrieval.gallery import require_names_apart

    if picture.suffix.lower() == ".png":
        if len(queries) != 1:
            raise ConfigError(f"--picture {picture}: one file for {len(queries)} queries", "name a folder instead")
    elif picture.is_file():
        raise InputError(f"{picture} is a file", "name a .png for one query, or a folder")
    require_names_apart("queries", queries)
    for query in queries:
        refuse_existing(_path(picture, query), force)


def draw(
    queries: Sequence[Sample], found: Sequence[Sequence[tuple[Sample, float]]], picture: Path | None
) -> list[Image]:
    """A picture for each query, written to `picture` where that is given: the file of one, or a folder of all."""
    from reidctl.files import replacing
    from reidctl.retrieval.gallery import draw_found

    pictures = []
    for query, near in zip(queries, found, strict=True):
        pictures.append(draw_found(query, near))
        if picture:
            path = _path(picture, query.name)
            with replacing(path) as temporary:
                pictures[-1].save(temporary)
            output.note(str(path))
    return pictures


def _path(picture: Path, query: str) -> Path:
    return picture if picture.suffix.lower() == ".png" else picture / f"{query}.png"


def show_pictures(pictures: Sequence[Image]) -> None:
    """Open them in whatever this desktop opens pictures with."""
    for picture in pictures:
        picture.show()
