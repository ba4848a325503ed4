"""CUHK02: 1,816 people, five pairs of cameras."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from reidctl.data.problems import Report, refuse
from reidctl.datasets.layout import data_folder
from reidctl.types import ReidData, Sample
from reidctl_datasets.files import named_files
from reidctl_datasets.splits import Reverse, parted

NAME = "cuhk02"
PLACES = ("cuhk02/Dataset", "cuhk02", "Dataset", ".")
PAIRS = ("P1", "P2", "P3", "P4", "P5")
TESTED = 4
PEOPLE_OF_A_PAIR = 1000
"""More than any pair of cameras saw: identity 4,012 is person 12 of the fourth pair."""
_FILE = re.compile(r"(\d{1,3})(?:_|$)")


def cuhk02(reverse: Reverse = False, *, root: Path, report: Report = refuse) -> ReidData:
    """CUHK02. Paper: Li and Wang, Locally Aligned Feature Transforms across Views, CVPR 2013.

    1,816 people, 7,264 images, two by each camera of a pair; as in the paper people of the fourth pair (193) are
    searched for, those of the other pairs (1,623) are trained on. P1 shows the people of CUHK01.
    Lies in root/cuhk02/Dataset (or root/cuhk02, root/Dataset, or root itself), in folders P1/cam1, P1/cam2 to P5/cam2;
    a file is called `012_0012.png`, of which the digits before the `_` are the identity within the pair.
    Raises InputError for a folder that is missing or empty; a file name that does not parse goes to `report`.
    """
    folder = data_folder(NAME, root, PLACES, PAIRS)
    samples = list(_samples(folder, report))
    trained = {sample.identity for sample in samples if sample.identity // PEOPLE_OF_A_PAIR != TESTED}
    first = 2 * (TESTED - 1)
    return parted(NAME, samples, trained, queries={first + 1 if reverse else first})


def _samples(folder: Path, report: Report) -> Iterator[Sample]:
    for pair, part in enumerate(PAIRS):
        for side in (0, 1):
            place = folder / part / f"cam{side + 1}"
            for path, found in named_files(NAME, place, _FILE, "012_0012.png", report):
                identity = PEOPLE_OF_A_PAIR * (pair + 1) + int(found[1])
                yield Sample(path, f"{part}_{place.name}_{path.stem}", identity, 2 * pair + side)
