"""People and cameras that have any names -> a data set: stable numbers, and a test where the files name none."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from reidctl.data.names import distinct
from reidctl.datasets.layout import relabelled
from reidctl.errors import InputError
from reidctl.types import ReidData, Sample

JUNK = "-1"
PARTS = ("train", "query", "gallery", "test")


@dataclass(frozen=True, slots=True)
class Record:
    """One image: its path below the data set, the names of its identity and camera, and its part.

    part is one of PARTS, or empty where nothing tells it.
    """

    image: Path
    below: PurePosixPath
    identity: str
    camera: str
    part: str


def assembled(name: str, records: Sequence[Record], train_fraction: float, seed: int) -> ReidData:
    """The data set of `records`.

    Identities and cameras are numbered from 0 in the order of their names, in which 2 comes before 10; identity -1 is
    junk and left out. A record of no part is in train or in test by its identity: of all such identities, in an order
    that depends on `seed` and each name alone, the first `train_fraction` are trained on. Test images are query or
    gallery: one image of each identity and camera that has at least two is a query, and one of an identity all of whose
    cameras have a single image. Raises InputError where there are no records.
    """
    people = [record for record in records if record.identity != JUNK]
    if not people:
        raise InputError(f"data set '{name}' has no images of anybody")
    people.sort(key=lambda record: _natural(record.below.as_posix()))
    people = _parted(people, train_fraction, seed)
    identities, cameras = (_numbers(names) for names in ({r.identity for r in people}, {r.camera for r in people}))
    parts: dict[str, list[Sample]] = {part: [] for part in PARTS}
    for record, called in zip(people, _file_names(people), strict=True):
        sample = Sample(record.image, called, identities[record.identity], cameras[record.camera])
        parts[record.part].append(sample)
    train, numbers = relabelled(parts["train"])
    return ReidData(name, train, tuple(parts["query"]), tuple(parts["gallery"]), train_identities=numbers)


def _parted(records: list[Record], train_fraction: float, seed: int) -> list[Record]:
    """Every record in train, query or gallery."""
    undecided = sorted({r.identity for r in records if not r.part}, key=lambda identity: _lot(seed, identity))
    trained = set(undecided[: int(train_fraction * len(undecided) + 0.5)])
    records = [r if r.part else replace(r, part="train" if r.identity in trained else "test") for r in records]
    shots: defaultdict[str, dict[str, list[Record]]] = defaultdict(dict)
    for record in records:
        if record.part == "test":
            shots[record.identity].setdefault(record.camera, []).append(record)
    queries = {id(query) for by_camera in shots.values() for query in _queries(by_camera)}
    return [r if r.part != "test" else replace(r, part="query" if id(r) in queries else "gallery") for r in records]


def _queries(by_camera: dict[str, list[Record]]) -> list[Record]:
    """A camera's only image stays in the gallery, or nothing there could be found."""
    found = [images[0] for images in by_camera.values() if len(images) > 1]
    return found or [next(iter(by_camera.values()))[0]]


def _lot(seed: int, identity: str) -> bytes:
    return hashlib.blake2b(f"{seed}/{identity}".encode(errors="surrogateescape"), digest_size=8).digest()


def _numbers(names: Iterable[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(sorted(names, key=_natural))}


def _natural(text: str) -> tuple[list[tuple[bool, int, str]], str]:
    """Sorts runs of digits as numbers, before all else, and texts that are alike in that by themselves."""
    runs = re.findall(r"[0-9]+|[^0-9]+", text)
    digits = [run.lstrip("0") if "0" <= run[0] <= "9" else None for run in runs]
    keys = [
        (True, 0, run) if number is None else (False, len(number), number)
        for run, number in zip(runs, digits, strict=True)
    ]
    return keys, text


def _file_names(records: Sequence[Record]) -> list[str]:
    """Paths without suffix, `/` as `__`; where two would be called alike, the later ones are numbered."""
    belows = (record.below.with_suffix("").parts for record in records)
    return distinct(["__".join(part for part in parts if part not in ("..", "/")) for parts in belows])
