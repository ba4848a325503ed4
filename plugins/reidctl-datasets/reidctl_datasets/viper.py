"""VIPeR: 632 people, two cameras, one image each."""

from __future__ import annotations

import re
from pathlib import Path

from reidctl.data.problems import Report, refuse
from reidctl.datasets.layout import data_folder
from reidctl.types import ReidData, Sample
from reidctl_datasets.files import named_files
from reidctl_datasets.splits import Reverse, Split, parted, trained_half

NAME = "viper"
PLACES = ("viper/VIPeR", "viper", "VIPeR", ".")
CAMERAS = ("cam_a", "cam_b")
_FILE = re.compile(r"(\d+)_\d+$")


def viper(split: Split = 0, reverse: Reverse = False, *, root: Path, report: Report = refuse) -> ReidData:
    """VIPeR. Paper: Gray and Tao, Viewpoint Invariant Pedestrian Recognition, ECCV 2008.

    632 people, 1,264 images: 316 people to train on, 316 to search for in the other camera, drawn anew by each split.
    Lies in root/viper/VIPeR (or root/viper, root/VIPeR, or root itself), in folders cam_a and cam_b; a file is called
    `000_45.bmp`: identity, angle of view.
    Raises InputError for a folder that is missing or empty; a file name that does not parse goes to `report`.
    """
    folder = data_folder(NAME, root, PLACES, CAMERAS)
    samples = [
        Sample(path, f"{part}_{path.stem}", int(found[1]), camera)
        for camera, part in enumerate(CAMERAS)
        for path, found in named_files(NAME, folder / part, _FILE, "000_45.bmp", report)
    ]
    trained = trained_half((sample.identity for sample in samples), split)
    return parted(NAME, samples, trained, queries={1 if reverse else 0})
