"""A data set written as JPEG files, in a layout that other toolkits read as well."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from reidctl.data.images import read_image
from reidctl.data.leakage import tested_people
from reidctl.errors import ConfigError, ExistsError, InputError, suggestion
from reidctl.files import replacing
from reidctl.types import ReidData, Sample

FOLDERS = {"market1501": "market1501/Market-1501-v15.09.15", "msmt17": "msmt17/MSMT17_V1"}


class Entry(NamedTuple):
    """A sample and the file it goes to, below the data set's folder."""

    sample: Sample
    path: str


def export_layout(
    data: ReidData,
    root: Path,
    layout: str,
    *,
    quality: int = 95,
    workers: int | None = None,
    progress: Callable[[int], None] | None = None,
    force: bool = False,
) -> Path:
    """Write `data` below the data root `root` as `layout` (a key of FOLDERS); the folder, there when it is complete.

    The reader of that name gives back the same splits, cameras and identities; junk is left out. In Market-1501, where
    identity 0 is a distractor, test people are numbered one higher if one of them is 0, and training people on from
    them, for there a number is one person's in all parts. JPEG files are copied, everything else is encoded with
    `quality` (1…95); `workers` threads, by default a few more than processors.
    Raises ExistsError when the folder holds something already, unless `force` replaces it, ConfigError for another
    layout, InputError for an image that cannot be read, and for a part with nobody in it, which no reader takes.
    """
    if layout not in FOLDERS:
        raise ConfigError(f"no layout named '{layout}'", suggestion(layout, FOLDERS, f"there are {', '.join(FOLDERS)}"))
    if empty := [part for part in ("train", "query", "gallery") if not any(_people(getattr(data, part)))]:
        raise InputError(
            f"data set '{data.name}' has no images of anybody in {' and '.join(empty)}",
            f"{layout} is read with people in all of train, query and gallery",
        )
    folder = root / FOLDERS[layout]
    if not force and folder.exists() and not (folder.is_dir() and next(folder.iterdir(), None) is None):
        raise ExistsError(f"{folder} is already there", "give another folder, or --force to replace it")
    entries, lists = (_market1501 if layout == "market1501" else _msmt17)(data)
    with replacing(folder) as temporary, ThreadPoolExecutor(workers) as pool:
        for parent in {(temporary / path).parent for path in (*lists, *(entry.path for entry in entries))}:
            parent.mkdir(parents=True, exist_ok=True)
        for name, text in lists.items():
            (temporary / name).write_text(text, encoding="utf-8")

        def write(entry: Entry) -> None:
            _write_image(entry.sample, temporary / entry.path, quality)
            if progress:
                progress(1)

        for _ in pool.map(write, entries):
            pass
    return folder


def _market1501(data: ReidData) -> tuple[list[Entry], dict[str, str]]:
    """Where the images go, and no lists."""
    tested, known = tested_people(data), dict(enumerate(data.train_identities))
    shift = int(0 in tested)
    first = max(tested, default=0) + shift + 1

    def test_number(sample: Sample) -> int:
        return 0 if sample.identity in data.distractors else sample.identity + shift

    def train_number(sample: Sample) -> int:
        number = known.get(sample.identity)
        return first + sample.identity if number is None or number not in tested else number + shift

    def named(part: str, samples: Iterable[Sample], number: Callable[[Sample], int]) -> Iterator[Entry]:
        seen = Counter[tuple[int, int]]()
        for sample in samples:
            who, camera = number(sample), sample.camera + 1
            seen[who, camera] += 1
            yield Entry(sample, f"{part}/{who:04d}_c{camera}s1_{seen[who, camera]:06d}_00.jpg")

    entries = [
        *named("bounding_box_train", data.train, train_number),
        *named("query", _people(data.query), test_number),
        *named("bounding_box_test", _people(data.gallery), test_number),
    ]
    return entries, {}


def _msmt17(data: ReidData) -> tuple[list[Entry], dict[str, str]]:
    """Where the images go, and the lists that name them."""
    seen = Counter[tuple[str, int]]()
    entries: list[Entry] = []
    # The reader's `with_validation`, which the presets ask for, wants this list to be there.
    lists = {"list_val.txt": ""}
    parts = {"train": ("train", data.train), "query": ("test", data.query), "gallery": ("test", data.gallery)}
    for part, (folder, samples) in parts.items():
        lines = []
        for sample in _people(samples):
            who, count = sample.identity, seen[folder, sample.identity]
            seen[folder, who] += 1
            path = f"{who:04d}/{who:04d}_{count:03d}_{sample.camera + 1:02d}_0.jpg"
            entries.append(Entry(sample, f"{folder}/{path}"))
            lines.append(f"{path} {who}\n")
        lists[f"list_{part}.txt"] = "".join(lines)
    return entries, lists


def _people(samples: Iterable[Sample]) -> Iterator[Sample]:
    return (sample for sample in samples if sample.identity >= 0)


def _write_image(sample: Sample, path: Path, quality: int) -> None:
    image = read_image(sample.image)
    if isinstance(sample.image, Path) and sample.image.suffix.lower() in (".jpg", ".jpeg"):
        shutil.copyfile(sample.image, path)
    else:
        image.save(path, quality=quality, subsampling=0)
