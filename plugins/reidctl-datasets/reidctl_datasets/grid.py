"""QMUL GRID: 250 people in an underground station, among 775 who were seen once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Le
from pydantic import Field

from reidctl.data.problems import Report, refuse
from reidctl.datasets.layout import data_folder, relabelled
from reidctl.errors import InputError
from reidctl.types import ReidData, Sample
from reidctl_datasets.files import named_files
from reidctl_datasets.matlab import AGAIN, read_mat

NAME = "grid"
PLACES = ("grid/underground_reid", "grid", "underground_reid", ".")
PARTS = ("probe", "gallery")
PARTITIONS = "features_and_partitions.mat"
OTHERS = 0
_FILE = re.compile(r"(\d{4})_([1-9]\d*)_")

Partition = Annotated[int, Ge(0), Le(9), Field(description="which of the ten partitions that come with the data set")]


def grid(split: Partition = 0, *, root: Path, report: Report = refuse) -> ReidData:
    """QMUL GRID. Paper: Loy et al., Multi-camera Activity Correlation Analysis, CVPR 2009.

    250 people with an image in each of two of 8 cameras, 1,275 images: 125 people to train on, 125 to search for among
    900 images. Identity 0 stands for the 775 people of the gallery who are seen once.
    Lies in root/grid/underground_reid (or root/grid, root/underground_reid, or root itself): folders probe and gallery
    and features_and_partitions.mat, whose trainIdxAll names the people to train on. A file is called
    `0001_1_25004_107_32_106_221.jpeg`: identity, camera (from 1), and where it was cut out.
    Raises InputError for a folder or file that is missing, empty or damaged; a file name that does not parse goes to
    `report`.
    """
    folder = data_folder(NAME, root, PLACES, (*PARTS, PARTITIONS))
    probe, gallery = (
        [
            Sample(path, f"{part}_{path.stem}", int(found[1]), int(found[2]) - 1)
            for path, found in named_files(NAME, folder / part, _FILE, "0001_1_25004_107_32_106_221.jpeg", report)
        ]
        for part in PARTS
    )
    people = {sample.identity for sample in probe} - {OTHERS}
    trained = _trained(folder / PARTITIONS, split, people)
    labelled, numbers = relabelled([sample for sample in (*probe, *gallery) if sample.identity in trained])
    return ReidData(
        NAME,
        train=labelled,
        query=tuple(sample for sample in probe if sample.identity not in trained),
        gallery=tuple(sample for sample in gallery if sample.identity not in trained),
        distractors=frozenset({OTHERS}),
        train_identities=numbers,
    )


def _trained(path: Path, split: int, people: set[int]) -> set[int]:
    """Those whom the partition trains on: what of it lists half of the people, each once."""
    trials = read_mat(NAME, path).get("trainIdxAll", ())
    if split < len(trials):
        for values in _lists(trials[split]):
            numbers = set(values.tolist())
            if len(numbers) == len(values) == len(people) // 2 and numbers <= people:
                return {int(number) for number in numbers}
    raise InputError(
        f"data set '{NAME}': trainIdxAll of {path} names no half of the {len(people)} people in partition {split}",
        AGAIN,
    )


def _lists(trial: Any) -> Iterator[Any]:
    """Every list of numbers within a partition, which is a list itself or a record of several."""
    if isinstance(trial, Mapping):
        for value in trial.values():
            yield from _lists(value)
    elif isinstance(trial, np.ndarray) and trial.ndim == 1 and np.issubdtype(trial.dtype, np.number):
        yield trial
