"""PRID 2011, single-shot version: 200 people seen by both cameras, and others seen by one."""

from __future__ import annotations

import re
from pathlib import Path

from reidctl.data.problems import Report, refuse
from reidctl.datasets.layout import data_folder
from reidctl.types import ReidData, Sample
from reidctl_datasets.files import named_files
from reidctl_datasets.splits import Reverse, Split, parted, trained_half

NAME = "prid"
PLACES = (
    "prid2011/prid_2011/single_shot",
    "prid2011/single_shot",
    "prid_2011/single_shot",
    "prid/single_shot",
    "single_shot",
)
CAMERAS = ("cam_a", "cam_b")
SHARED = 200
"""People 1 to 200 are the same in both cameras; beyond, a number means one person in each."""
_FILE = re.compile(r"person_(\d+)$")


def prid(split: Split = 0, reverse: Reverse = False, *, root: Path, report: Report = refuse) -> ReidData:
    """PRID 2011, single-shot. Paper: Hirzer et al., Person Re-identification by Descriptive and Discriminative
    Classification, SCIA 2011.

    Of the 200 people that both cameras saw half are trained on, drawn anew by each split; the others' images by the
    first camera are searched for among 649 of the second (reverse: those of the second among 285 of the first).
    Lies in root/prid2011/prid_2011/single_shot (or a shorter way to single_shot), in folders cam_a and cam_b; a file
    is called `person_0001.png`.
    Raises InputError for a folder that is missing or empty; a file name that does not parse goes to `report`.
    """
    folder = data_folder(NAME, root, PLACES, CAMERAS)
    query = 1 if reverse else 0
    seen: list[dict[int, Sample]] = []
    for camera, part in enumerate(CAMERAS):
        files = named_files(NAME, folder / part, _FILE, "person_0001.png", report)
        people = {int(found[1]): path for path, found in files}
        seen.append({number: Sample(path, f"{part}_{path.stem}", number, camera) for number, path in people.items()})
    both = {number for number in seen[0].keys() & seen[1].keys() if number <= SHARED}
    searched = [sample for number, sample in seen[query].items() if number in both]
    return parted(NAME, [*searched, *seen[1 - query].values()], trained_half(both, split), queries={query})
