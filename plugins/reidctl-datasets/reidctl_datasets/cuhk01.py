"""CUHK01: 971 people, two cameras, two images each."""

from __future__ import annotations

import re
from pathlib import Path

from reidctl.data.problems import Report, refuse
from reidctl.datasets.layout import data_folder
from reidctl.types import ReidData, Sample
from reidctl_datasets.files import named_files
from reidctl_datasets.splits import Reverse, Split, parted, trained_half

NAME = "cuhk01"
PLACES = ("cuhk01", "CUHK01", ".")
PART = "campus"
_FILE = re.compile(r"(\d{4})(00[1-4])$")


def cuhk01(split: Split = 0, reverse: Reverse = False, *, root: Path, report: Report = refuse) -> ReidData:
    """CUHK01. Paper: Li et al., Human Reidentification with Transferred Metric Learning, ACCV 2012.

    971 people, 3,884 images: 485 people to train on, 486 to search for in the other camera, drawn anew by each split.
    Lies in root/cuhk01/campus (or root/CUHK01/campus, or root/campus). A file is called `0001003.png`: four digits of
    the identity, three of the image, of which 001 and 002 are by the first camera, 003 and 004 by the second.
    Raises InputError for a folder that is missing or empty; a file name that does not parse goes to `report`.
    """
    folder = data_folder(NAME, root, PLACES, [PART]) / PART
    samples = [
        Sample(path, path.stem, int(found[1]), int(found[2]) // 3)
        for path, found in named_files(NAME, folder, _FILE, "0001003.png", report)
    ]
    trained = trained_half((sample.identity for sample in samples), split)
    return parted(NAME, samples, trained, queries={1 if reverse else 0})
