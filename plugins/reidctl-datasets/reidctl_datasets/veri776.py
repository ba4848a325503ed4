"""VeRi-776: 776 vehicles seen by twenty cameras along the streets of a city."""

from __future__ import annotations

import re
from pathlib import Path

from reidctl.data.problems import Report, refuse
from reidctl.datasets.layout import data_folder, relabelled
from reidctl.types import ReidData, Sample
from reidctl_datasets.files import named_files

NAME = "veri-776"
PLACES = ("veri-776/VeRi", "veri-776", "VeRi", ".")
PARTS = ("image_train", "image_query", "image_test")
_FILE = re.compile(r"(\d+)_c(\d*[1-9]\d*)_")


def veri776(*, root: Path, report: Report = refuse) -> ReidData:
    """VeRi-776. Paper: Liu et al., A Deep Learning-Based Approach to Progressive Vehicle Re-identification, ECCV 2016.

    576 vehicles and some 37,800 images to train on, 200 others in 1,678 queries and 11,579 gallery images; 20 cameras.
    The gallery has the queries' images, too, which a query's own camera leaves out.
    Lies in root/veri-776/VeRi (or root/veri-776, root/VeRi, or root itself), in folders image_train, image_query and
    image_test; a file is called `0001_c001_00016450_0.jpg`: identity, camera (from 1), time, number.
    Raises InputError for a folder that is missing or empty; a file name that does not parse goes to `report`.
    """
    folder = data_folder(NAME, root, PLACES, PARTS)
    train, query, gallery = (
        tuple(
            Sample(path, path.stem, int(found[1]), int(found[2]) - 1)
            for path, found in named_files(NAME, folder / part, _FILE, "0001_c001_00016450_0.jpg", report)
        )
        for part in PARTS
    )
    labelled, numbers = relabelled(train)
    return ReidData(NAME, labelled, query, gallery, train_identities=numbers)
