"""SenseReID: a test alone."""

from __future__ import annotations

import re
from pathlib import Path

from reidctl.data.problems import Report, refuse
from reidctl.datasets.layout import data_folder
from reidctl.types import ReidData, Sample
from reidctl_datasets.files import named_files

NAME = "sensereid"
PLACES = ("sensereid/SenseReID", "sensereid", "SenseReID", ".")
PARTS = ("test_probe", "test_gallery")
_FILE = re.compile(r"(\d+)_(\d+)$")


def sensereid(*, root: Path, report: Report = refuse) -> ReidData:
    """SenseReID. Paper: Zhao et al., Spindle Net: Person Re-identification with Human Body Region …, CVPR 2017.

    522 people to search for among 1,717; nobody to train on.
    Lies in root/sensereid/SenseReID (or root/sensereid, root/SenseReID, or root itself), in folders test_probe and
    test_gallery; a file is called `00012_01.jpg`: identity, camera.
    Raises InputError for a folder that is missing or empty; a file name that does not parse goes to `report`.
    """
    folder = data_folder(NAME, root, PLACES, PARTS)
    query, gallery = (
        tuple(
            Sample(path, f"{part}_{path.stem}", int(found[1]), int(found[2]))
            for path, found in named_files(NAME, folder / part, _FILE, "00012_01.jpg", report)
        )
        for part in PARTS
    )
    return ReidData(NAME, query=query, gallery=gallery)
