"""Market-1501: 1,501 people seen by six cameras on a campus."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field

from reidctl.data.problems import Problem, Report, refuse
from reidctl.datasets.layout import data_folder, image_files, relabelled
from reidctl.types import ReidData, Sample

NAME = "market1501"
PLACES = ("market1501/Market-1501-v15.09.15", "market1501", "Market-1501-v15.09.15", ".")
PARTS = ("bounding_box_train", "query", "bounding_box_test")
JUNK, DISTRACTOR = -1, 0
_FILE = re.compile(r"(-1|\d+)_c(\d+)")


def market1501(
    distractors_500k: Annotated[
        bool, Field(description="add the 500,000 distractors of images/ to the gallery")
    ] = False,
    *,
    root: Path,
    report: Report = refuse,
) -> ReidData:
    """Market-1501. Paper: Zheng et al., Scalable Person Re-identification: A Benchmark, ICCV 2015.

    751 identities and 12,936 images to train, 750 others in 3,368 queries and 15,913 gallery images; 6 cameras.
    Lies in root/market1501/Market-1501-v15.09.15 (or root/market1501, or root itself). A file is called
    `0002_c1s1_000451_03.jpg`: identity, camera (from 1), sequence, frame, box. Identity -1 is junk and left out;
    0 stands for distractors, which stay in the gallery.
    Raises InputError for a folder that is missing or empty; a file name that does not parse goes to `report`.
    """
    folder = data_folder(NAME, root, PLACES, (*PARTS, "images") if distractors_500k else PARTS)
    train, query, gallery = (list(_samples(folder / part, report)) for part in PARTS)
    if distractors_500k:
        gallery.extend(_samples(folder / "images", report))
    labelled, numbers = relabelled(train)
    return ReidData(
        NAME,
        train=labelled,
        query=tuple(query),
        gallery=tuple(gallery),
        distractors=frozenset({DISTRACTOR}),
        train_identities=numbers,
    )


def _samples(folder: Path, report: Report) -> Iterator[Sample]:
    for path in image_files(NAME, folder):
        match = _FILE.match(path.name)
        if match is None or int(match[2]) == 0:
            what = f"the name tells no identity and camera as {NAME} writes them"
            hint = "names are like 0002_c1s1_000451_03.jpg; take out files that are none of the data set's"
            report(Problem("misnamed", str(path), what, hint))
            continue
        identity = int(match[1])
        if identity != JUNK:
            yield Sample(path, path.name[: -len(".jpg")], identity, int(match[2]) - 1)
