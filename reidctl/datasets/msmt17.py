"""MSMT17: 4,101 people seen by fifteen cameras, indoors and outdoors, over four days."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from reidctl.data.problems import Problem, Report, refuse
from reidctl.datasets.layout import data_folder, list_lines, relabelled
from reidctl.errors import InputError
from reidctl.types import ReidData, Sample

NAME = "msmt17"
VERSIONS = {"MSMT17_V1": ("train", "test"), "MSMT17_V2": ("mask_train_v2", "mask_test_v2")}
VALIDATION = "list_val.txt"
LISTS = ("list_train.txt", "list_query.txt", "list_gallery.txt")


def msmt17(
    with_validation: Annotated[bool, Field(description="train on the images of list_val.txt, too")] = False,
    *,
    root: Path,
    report: Report = refuse,
) -> ReidData:
    """MSMT17, version 1 or 2. Paper: Wei et al., Person Transfer GAN to Bridge Domain Gap, CVPR 2018.

    1,041 identities and 30,248 images to train (32,621 with the validation list, which shows the same people),
    3,060 others in 11,659 queries and 82,161 gallery images; 15 cameras.
    Lies in root/msmt17/MSMT17_V1 or root/msmt17/MSMT17_V2 (or root/msmt17, or root itself), version 1 first.
    The lists have lines of `path identity`, that of validation may have none; a file is called
    `0000_000_01_0303morning_0015_0.jpg`, whose third field is the camera (from 1).
    Raises InputError for a folder or list that is missing or empty; a line that does not parse, and
    one that names an image again, goes to `report`.
    """
    folder, (train_folder, test_folder) = _located(root)
    lists = [folder / "list_train.txt", *([folder / VALIDATION] if with_validation else [])]
    # Training and test people are numbered apart, each from 0.
    labelled, _ = relabelled(list(_samples(lists, folder / train_folder, report)))
    return ReidData(
        NAME,
        train=labelled,
        query=tuple(_samples([folder / "list_query.txt"], folder / test_folder, report)),
        gallery=tuple(_samples([folder / "list_gallery.txt"], folder / test_folder, report)),
    )


def _located(root: Path) -> tuple[Path, tuple[str, str]]:
    places = [f"{parent}{version}" for parent in ("msmt17/", "") for version in VERSIONS] + ["msmt17", "."]
    folder = data_folder(NAME, root, places, LISTS)
    for parts in VERSIONS.values():
        if (folder / parts[0]).is_dir() and (folder / parts[1]).is_dir():
            return folder, parts
    wanted = " nor ".join(" and ".join(parts) for parts in VERSIONS.values())
    raise InputError(
        f"data set '{NAME}': {folder} holds the lists, but neither {wanted}", "unpack the images beside the lists"
    )


def _samples(lists: Sequence[Path], folder: Path, report: Report) -> Iterator[Sample]:
    """The images that `lists` together name, each once."""
    seen: dict[str, str] = {}
    for listing in lists:
        # Sets in this layout that nobody split for validation have an empty list.
        lines = list_lines(NAME, listing, may_be_empty=listing.name == VALIDATION)
        for number, line in enumerate(lines, start=1):
            where = f"{listing}, line {number}"
            path, _, identity = line.strip().rpartition(" ")
            name = path.rpartition("/")[2]
            fields = name.split("_", 3)
            if not identity.isdecimal() or len(fields) < 4 or not fields[2].isdecimal() or int(fields[2]) == 0:
                what = f"'{line}' tells no image, identity and camera as {NAME} writes them"
                report(Problem("misnamed", where, what, "lines are like 0000/0000_000_01_0303morning_0015_0.jpg 0"))
            elif path in seen:
                what = f"'{path}' stands in {seen[path]} already"
                report(Problem("duplicate", where, what, "take one of the two lines out"))
            else:
                seen[path] = f"{listing.name}, line {number},"
                yield Sample(folder / path, name.rpartition(".")[0], int(identity), int(fields[2]) - 1)
