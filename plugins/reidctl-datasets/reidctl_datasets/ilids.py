"""QMUL i-LIDS: 119 people in an airport hall."""

from __future__ import annotations

import re
from pathlib import Path

from reidctl.data.problems import Report, refuse
from reidctl.datasets.layout import data_folder
from reidctl.types import ReidData, Sample
from reidctl_datasets.files import named_files
from reidctl_datasets.splits import Split, one_shot, parted, trained_half

NAME = "ilids"
PLACES = ("ilids/i-LIDS_Pedestrian", "ilids", "i-LIDS_Pedestrian", ".")
PART = "Persons"
_FILE = re.compile(r"(\d{4})\d{3}$")


def ilids(split: Split = 0, *, root: Path, report: Report = refuse) -> ReidData:
    """QMUL i-LIDS. Paper: Zheng et al., Associating Groups of People, BMVC 2009.

    119 people, 476 images: 59 people to train on and 60 to test, drawn anew by each split. The files name no camera: as
    in Zheng et al., Person Re-identification by Probabilistic Relative Distance Comparison, CVPR 2011, the gallery has
    one drawn image of each person (here camera 1), and all others are queries (camera 0).
    Lies in root/ilids/i-LIDS_Pedestrian/Persons (or a shorter way to Persons); a file is called `0001002.jpg`: four
    digits of the identity, three of the image.
    Raises InputError for a folder that is missing or empty; a file name that does not parse goes to `report`.
    """
    folder = data_folder(NAME, root, PLACES, [PART]) / PART
    files = named_files(NAME, folder, _FILE, "0001002.jpg", report)
    samples = one_shot([Sample(path, path.stem, int(found[1]), 0) for path, found in files], split)
    trained = trained_half((sample.identity for sample in samples), split)
    return parted(NAME, samples, trained, queries={0})
