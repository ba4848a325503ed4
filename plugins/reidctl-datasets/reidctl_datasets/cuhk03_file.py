"""cuhk-03.mat: every image of CUHK03 in one HDF5 file.

`detected` and `labeled` are cells [5] of cells [people, 10] of images [H, W, 3] uint8, by pair of cameras, person and
number; numbers 1 to 5 are by the first camera of the pair. An image that is not there is an empty array. `testsets` are
cells [20] of matrices [100, 2] of pair and person. All count from 1, and HDF5 has every array's axes reversed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
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
        pairs, place = _pairs(self.file, self.boxes, os.getpid()), self.place
        cells = pairs[place.pair - 1] if 1 <= place.pair <= len(pairs) else np.empty((0, 0))
        there = 1 <= place.number <= cells.shape[0] and 1 <= place.person <= cells.shape[1]
        stored = _stored(self.file, cells[place.number - 1, place.person - 1]) if there else None
        if stored is None:
            raise InputError(f"data set '{NAME}': {self.file} has no image {place} among '{self.boxes}'", AGAIN)
        return Image.fromarray(stored[()].transpose(2, 1, 0))


def places(path: Path, boxes: Boxes) -> Iterator[Place]:
    """Every image that the file has, in order of pair, person and number."""
    for pair, cells in enumerate(_pairs(path, boxes, os.getpid()), start=1):
        for person, numbered in enumerate(cells.T, start=1):
            for number, reference in enumerate(numbered, start=1):
                if _stored(path, reference) is not None:
                    yield Place(pair, person, number)


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


@cache
def _pairs(path: Path, boxes: Boxes, process: int) -> list[Any]:
    """References [10, people] to the images of each pair; kept, because to look them up takes longer than an image."""
    file = open_hdf5(NAME, path)
    try:
        return [file[reference][()] for reference in file[boxes][()].reshape(-1)]
    except (KeyError, ValueError, TypeError) as error:
        raise _other(path, boxes, error) from error


def _stored(path: Path, reference: Any) -> Any:
    """The stored image [3, W, H]; None for an empty one."""
    stored = open_hdf5(NAME, path)[reference]
    return stored if stored.ndim == 3 else None


def _other(path: Path, variable: str, error: Exception) -> InputError:
    return InputError(f"data set '{NAME}': {path} has no '{variable}' as CUHK03 stores it: {error}", AGAIN)
