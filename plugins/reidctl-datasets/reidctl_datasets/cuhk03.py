"""CUHK03: 1,467 people, five pairs of cameras, boxes drawn by hand and by a detector."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le
from pydantic import Field

from reidctl.data.problems import Problem, Report, refuse
from reidctl.datasets.layout import data_folder, relabelled
from reidctl.errors import InputError
from reidctl.types import ReidData, Sample
from reidctl_datasets.cuhk03_file import NAME, Boxes, Crop, Place, places, test_people
from reidctl_datasets.matlab import AGAIN, read_mat
from reidctl_datasets.splits import parted

PLACES = ("cuhk03", "CUHK03", ".")
FILES = ("cuhk03_release/cuhk-03.mat", "cuhk-03.mat")
PEOPLE_OF_A_PAIR = 1000
"""More than any pair of cameras saw: identity 1,012 is person 12 of the first pair."""
_IMAGE = re.compile(r"([1-5])_(\d{3})_([12])_(\d{2})\.png$")

BoxesOption = Annotated[Boxes, Field(description="boxes of people: found by a detector, or drawn by hand")]
Protocol = Annotated[
    Literal["new", "classic"],
    Field(description="new: 767 people to train on and 700 to test; classic: 1,367 and 100, in 20 splits"),
]
ClassicSplit = Annotated[int, Ge(0), Le(19), Field(description="which of the classic splits; new has one only")]


def cuhk03(
    boxes: BoxesOption = "detected",
    protocol: Protocol = "new",
    split: ClassicSplit = 0,
    *,
    root: Path,
    report: Report = refuse,
) -> ReidData:
    """CUHK03. Papers: Li et al., DeepReID, CVPR 2014 (classic); Zhong et al., https://arxiv.org/abs/1701.08398 (new).

    1,467 people. Images are read out of cuhk-03.mat whenever they are needed; nothing is unpacked. With protocol
    classic queries and gallery are all images of the 100 people, to be evaluated by `--protocol cuhk03`.
    Lies in root/cuhk03 (or root/CUHK03, or root itself): cuhk03_release/cuhk-03.mat, or cuhk-03.mat beside, and for
    protocol new, beside, cuhk03_new_protocol_config_detected.mat or …_labeled.mat of its authors. An image is called
    `1_002_2_07.png`: pair of cameras, person, camera of the pair, number.
    Raises InputError for a file that is missing or another than these; an image name that does not parse goes to
    `report`.
    """
    if protocol == "new":
        config = f"cuhk03_new_protocol_config_{boxes}.mat"
        folder = data_folder(NAME, root, PLACES, [config])
        return _new(_images_file(folder), boxes, folder / config, report)
    return _classic(_images_file(_folder_of_images(root)), boxes, split)


def _folder_of_images(root: Path) -> Path:
    for place in PLACES:
        if any((root / place / file).is_file() for file in FILES):
            return root / place
    return data_folder(NAME, root, PLACES, FILES[:1])


def _images_file(folder: Path) -> Path:
    for file in FILES:
        if (folder / file).is_file():
            return folder / file
    raise InputError(f"data set '{NAME}': {folder} has no {' and no '.join(FILES)}", "unpack cuhk03_release.zip there")


def _sample(path: Path, boxes: Boxes, place: Place) -> Sample:
    identity = PEOPLE_OF_A_PAIR * place.pair + place.person
    return Sample(Crop(path, boxes, place), str(place), identity, place.camera)


def _classic(path: Path, boxes: Boxes, split: int) -> ReidData:
    tested = {PEOPLE_OF_A_PAIR * pair + person for pair, person in test_people(path, split)}
    samples = [_sample(path, boxes, place) for place in places(path, boxes)]
    trained = {sample.identity for sample in samples} - tested
    data = parted(NAME, samples, trained, queries={0, 1})
    return ReidData(NAME, data.train, data.query, data.query, train_identities=data.train_identities)


def _new(path: Path, boxes: Boxes, config: Path, report: Report) -> ReidData:
    found = read_mat(NAME, config)
    try:
        names = [str(name) for name in found["filelist"]]
        parts = [[names[int(index) - 1] for index in found[key]] for key in ("train_idx", "query_idx", "gallery_idx")]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise InputError(
            f"data set '{NAME}': {config} is no list of the new protocol: {_told(error)}", AGAIN
        ) from error
    train, query, gallery = (tuple(_named(part, path, boxes, config, report)) for part in parts)
    labelled, numbers = relabelled(train)
    return ReidData(NAME, labelled, query, gallery, train_identities=numbers)


def _named(names: list[str], path: Path, boxes: Boxes, config: Path, report: Report) -> Iterator[Sample]:
    for name in names:
        found = _IMAGE.match(name)
        place = Place(int(found[1]), int(found[2]), int(found[4])) if found else None
        if place is None or found is None or place.camera + 1 != int(found[3]):
            what = f"'{name}' tells no pair, person and camera as {NAME} writes them"
            report(Problem("misnamed", str(config), what, "names are like 1_002_2_07.png"))
        else:
            yield _sample(path, boxes, place)


def _told(error: Any) -> str:
    return f"no {error}" if isinstance(error, KeyError) else str(error)
