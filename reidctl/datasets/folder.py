"""Images in one folder a person."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Annotated

from annotated_types import Ge, Le, MinLen
from pydantic import Field

from reidctl.data.listing import SUFFIXES
from reidctl.data.problems import Problem, Report, listed, refuse
from reidctl.datasets.layout import unreadable
from reidctl.datasets.split import PARTS, Record, assembled
from reidctl.errors import ConfigError, InputError
from reidctl.types import ReidData

NAME = "folder"
C1_CAM1_CAMERA1 = r"(?:^|[/_\-. ])(?i:c(?:am(?:era)?)?)[_\- ]?(?P<camera>\d+)"


def folder(
    path: Annotated[str, MinLen(1), Field(description="folder of the people's folders, below the data root")] = ".",
    camera: Annotated[
        str,
        MinLen(1),
        Field(
            description="where a file's path below its person's folder tells the camera: a pattern such as "
            "`{camera}_*.jpg` or `{camera}/*`, or a regular expression with the group (?P<camera>…); "
            "by default c1, cam1, cam-1 or camera_1, where a name begins or behind one of `_-.` or a space"
        ),
    ] = C1_CAM1_CAMERA1,
    train_fraction: Annotated[
        float, Ge(0), Le(1), Field(description="share of the people to train on, where no folders part them")
    ] = 0.5,
    seed: Annotated[int, Ge(0), Field(description="which people are trained on")] = 0,
    *,
    root: Path,
    report: Report = refuse,
) -> ReidData:
    """Your own images, without a class for them: `<person>/<anything>.jpg`, the camera told by a pattern.

    The folders of the people lie in train, query and gallery (or train and test, or some of them), else right in
    `path`; then some people are trained on and the others tested, as in reidctl.datasets.split. Names of people and
    cameras are any text and numbered in their order. Folders in a person's folder are searched, too, links followed;
    files and folders that begin with a dot, and files of other suffixes, are passed over.
    Raises InputError for a folder that is missing, unreadable or without images, ConfigError for a pattern that cannot
    be used; a file that tells no camera, and one that lies in no person's folder, goes to `report`.
    """
    base = root / path
    if not base.is_dir():
        raise InputError(f"data set '{NAME}': no folder {base}", _what_is_near(root, path))
    pattern = _compiled(camera)
    parts = [part for part in PARTS if (base / part).is_dir()]
    problems: list[Problem] = []
    records = [
        record for part in parts or [""] for record in _records(base, base / part, part, pattern, problems.append)
    ]
    if not records:
        # Where no file at all tells a camera, the pattern is to blame, not the files.
        raise InputError(
            f"data set '{NAME}': {base} holds no usable images" + (f": {listed(problems[:1])}" if problems else ""),
            (problems[0].hint if problems else None)
            or f"it should hold <person>/<image>, and images end in {', '.join(sorted(SUFFIXES))}",
        )
    for problem in problems:
        report(problem)
    return assembled(NAME, records, train_fraction, seed)


def _records(base: Path, people: Path, part: str, pattern: re.Pattern[str], report: Report) -> Iterator[Record]:
    for path in _images(people, ()):
        person, *rest = path.relative_to(people).parts
        if not rest:
            what = "lies in no person's folder"
            report(Problem("misnamed", str(path), what, "images lie in <person>/<image>"))
            continue
        match = pattern.search("/".join(rest))
        if match is None or not match["camera"]:
            usual = pattern.pattern == C1_CAM1_CAMERA1
            how = "as c1, cam1 or camera_1 do" if usual else f"by the pattern {pattern.pattern}"
            what = f"'{'/'.join(rest)}' tells no camera {how}"
            hint = "say where the camera stands, e.g. camera: '{camera}_*.jpg'"
            report(Problem("misnamed", str(path), what, hint))
            continue
        yield Record(path, PurePosixPath(path.relative_to(base)), person, match["camera"], part)


def _images(folder: Path, above: tuple[tuple[int, int], ...]) -> Iterator[Path]:
    """The images in `folder` and below in the order of their names; `above` are the folders on the way here."""
    try:
        here = folder.stat()
        entries = sorted((entry.name, entry.path, entry.is_dir()) for entry in os.scandir(folder))
    except OSError as error:
        raise unreadable(NAME, folder, error) from error
    place = here.st_dev, here.st_ino
    if place in above:
        raise InputError(f"data set '{NAME}': {folder} is a link to a folder above it", "take the link out")
    for name, path, is_folder in entries:
        if name.startswith("."):
            continue
        if is_folder:
            yield from _images(Path(path), (*above, place))
        elif Path(name).suffix.lower() in SUFFIXES:
            yield Path(path)


def _compiled(camera: str) -> re.Pattern[str]:
    """A regular expression as it is; in a pattern, {camera} is letters and digits, and * is anything."""
    if "{camera}" in camera:
        if camera.count("{camera}") > 1:
            raise ConfigError(f"camera: '{camera}' has {{camera}} more than once", "write it once, and * for the rest")
        words = {"*": ".*", "{camera}": r"(?P<camera>[^\W_]+)"}
        parts = re.split(r"(\{camera\}|\*)", camera)
        return re.compile("^" + "".join(words.get(part, re.escape(part)) for part in parts) + "$")
    try:
        pattern = re.compile(camera)
    except re.error as error:
        raise ConfigError(
            f"camera: '{camera}' is no regular expression: {error}", "or write e.g. {camera}_*"
        ) from error
    if "camera" not in pattern.groupindex:
        raise ConfigError(f"camera: '{camera}' does not say where the camera stands", "write e.g. {camera}_*.jpg")
    return pattern


def _what_is_near(root: Path, path: str) -> str:
    if not root.is_dir():
        return f"{root} is no folder; give the folder that holds the data sets with --root"
    names = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
    return f"below {root}: {', '.join(names[:8]) or 'no folders'}"
