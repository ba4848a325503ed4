"""cuhk-03.mat: every image of CUHK03 in one HDF5 file.

`detected` and `labeled` are cells [5] of cells [people, 10] of images [H, W, 3] uint8, by pair of cameras, person and
number; numbers 1 to 5 are by the first camera of the pair. An image that is not there is an empty array. `testsets` are
cells [20] of matrices [100, 2] of pair and person. All count from 1, and HDF5 has every array's axes reversed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from reidctl.errors import InputError
from reidctl_datasets.matlab import AGAIN, open_hdf5

NAME = "cuhk03"
Boxes = Literal["detected", "labeled"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an image is in the file: pair of cameras, person in it, number in 1…10; 1_002_2_07 in writing."""

    pair: int
    person: int
    number: int

    def __str__(self) -> str:
        return f"{self.pair}_{self.person:03}_{self.camera + 1}_{self.number:02}"

    @property
    def camera(self) -> int:
        """0 or 1: the camera of the pair."""
        return 0 if self.number <= 5 else 1


@dataclass(frozen=True, slots=True)
class Crop:
    """Draws one image out of the file, which is opened once in each process."""

    file: Path
    boxes: Boxes
    place: Place

    def __call__(self) -> Image.Image:
        stored = _cell(open_hdf5(NAME, self.file), self)
        if stored is None:
            raise InputError(f"data set '{NAME}': {self.file} has no image {self.place} among '{self.boxes}'", AGAIN)
        return Image.fromarray(stored[()].transpose(2, 1, 0))


def places(path: Path, boxes: Boxes) -> Iterator[Place]:
    """Every image that the file has, in order of pair, person and number."""
    file = open_hdf5(NAME, path)
    for pair, people in enumerate(_pairs(file, path, boxes), start=1):
        for person in range(1, people.shape[1] + 1):
            for number in range(1, 11):
                place = Place(pair, person, number)
                if _cell(file, Crop(path, boxes, place)) is not None:
                    yield place


def test_people(path: Path, split: int) -> set[tuple[int, int]]:
    """(pair, person) of those that the split, from 0, tests on; InputError for a file of fewer splits."""
    file = open_hdf5(NAME, path)
    try:
        references = file["testsets"][()].reshape(-1)
        if split >= len(references):
            raise InputError(
                f"data set '{NAME}': {path} has {len(references)} splits", f"take 0 to {len(references) - 1}"
            )
        pairs, people = file[references[split]][()].astype(int)
    except (KeyError, ValueError, TypeError) as error:
        raise _other(path, "testsets", error) from error
    return set(zip(pairs.tolist(), people.tolist(), strict=True))


def _pairs(file: Any, path: Path, boxes: Boxes) -> list[Any]:
    """The cells [10, people] of each pair."""
    try:
        return [file[reference] for reference in file[boxes][()].reshape(-1)]
    except (KeyError, ValueError, TypeError) as error:
        raise _other(path, boxes, error) from error


def _cell(file: Any, crop: Crop) -> Any:
    """What is stored [3, W, H] of an image; None for an empty one and for a place that the file does not have."""
    place = crop.place
    pairs = _pairs(file, crop.file, crop.boxes)
    if not 1 <= place.pair <= len(pairs):
        return None
    people = pairs[place.pair - 1]
    if place.number > people.shape[0] or place.person > people.shape[1]:
        return None
    stored = file[people[place.number - 1, place.person - 1]]
    return stored if stored.ndim == 3 else None


def _other(path: Path, variable: str, error: Exception) -> InputError:
    return InputError(f"data set '{NAME}': {path} has no '{variable}' as CUHK03 stores it: {error}", AGAIN)
