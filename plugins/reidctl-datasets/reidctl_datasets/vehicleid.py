"""PKU VehicleID: 26,267 vehicles, from the front or from behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from reidctl.data.problems import Problem, Report, refuse
from reidctl.datasets.layout import data_folder, list_lines, relabelled
from reidctl.types import ReidData, Sample
from reidctl_datasets.splits import Split, one_shot

NAME = "vehicleid"
PLACES = ("vehicleid/VehicleID_V1.0", "vehicleid", "VehicleID_V1.0", ".")
PARTS = ("image", "train_test_split")

TestSize = Annotated[
    Literal[800, 1600, 2400, 3200, 6000, 13164], Field(description="how many vehicles are tested on: which list")
]


def vehicleid(test_size: TestSize = 800, split: Split = 0, *, root: Path, report: Report = refuse) -> ReidData:
    """PKU VehicleID. Paper: Liu et al., Deep Relative Distance Learning, CVPR 2016.

    13,134 vehicles to train on, others on lists of 800 to 13,164 to test. The files name no camera: as in the paper the
    gallery has one drawn image of each vehicle (here camera 1), and all others are queries (camera 0); split tells
    which draw.
    Lies in root/vehicleid/VehicleID_V1.0 (or root/vehicleid, root/VehicleID_V1.0, or root itself), in folders image and
    train_test_split, where train_list.txt and test_list_800.txt and so on have lines of `image identity`.
    Raises InputError for a folder or list that is missing or empty; a line that does not parse goes to `report`.
    """
    folder = data_folder(NAME, root, PLACES, PARTS)
    lists = folder / "train_test_split"
    train, test = (
        one_shot(list(_samples(lists / listing, folder / "image", report)), split)
        for listing in ("train_list.txt", f"test_list_{test_size}.txt")
    )
    labelled, numbers = relabelled(train)
    query, gallery = (tuple(sample for sample in test if sample.camera == camera) for camera in (0, 1))
    return ReidData(NAME, labelled, query, gallery, train_identities=numbers)


def _samples(listing: Path, images: Path, report: Report) -> Iterator[Sample]:
    for number, line in enumerate(list_lines(NAME, listing), start=1):
        image, _, identity = line.strip().partition(" ")
        if not image.isdecimal() or not identity.isdecimal():
            what = f"'{line}' tells no image and identity as {NAME} writes them"
            report(Problem("misnamed", f"{listing}, line {number}", what, "lines are like 0012345 678"))
        else:
            yield Sample(images / f"{image}.jpg", image, int(identity), 0)
