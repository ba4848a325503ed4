"""A data set written as JPEG files, in a layout that other toolkits read as well."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from reidctl.data.images import read_image
from reidctl.errors import ConfigError, ExistsError, suggestion
from reidctl.files import replacing
from reidctl.types import ReidData, Sample

FOLDERS = {"market1501": "market1501/Market-1501-v15.09.15", "msmt17": "msmt17/MSMT17_V1"}


class Entry(NamedTuple):
    """A sample, the file it goes to below the data set's folder, and the identity that this layout gives it."""

    sample: Sample
    path: str
    identity: int


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

    The reader of that name gives back the same splits, cameras and identities; junk is left out. In Market-1501, where identity 0 is a distractor, test
    people are numbered one higher if one of them is 0. JPEG files are copied, everything else is encoded with
    `quality` (1…95); `workers` threads, by default a few more than there are processors.
    Raises ExistsError when the folder holds something already, unless `force` replaces it, ConfigError for another
    layout, InputError for an image that cannot be read.
    """
    if layout not in FOLDERS:
        raise ConfigError(f"no layout named '{layout}'", suggestion(layout, FOLDERS, f"there are {', '.join(FOLDERS)}"))
    folder = root / FOLDERS[layout]
    if not force and folder.exists() and not (folder.is_dir() and next(folder.iterdir(), None) is None):
        raise ExistsError(f"{folder} is already there", "give another folder, or --force to replace it")
    write_entries = _write_market1501 if layout == "market1501" else _write_msmt17
    with replacing(folder) as temporary, ThreadPoolExecutor(workers) as pool:
        temporary.mkdir()

        def write(entry: Entry) -> None:
            _write_image(entry.sample, temporary / entry.path, quality)
            if progress:
                progress(1)

        for _ in pool.map(write, write_entries(data, temporary)):
            pass
    return folder


def _write_market1501(data: ReidData, folder: Path) -> list[Entry]:
    """Make the folders and lists of the layout; what goes into them."""
    test = (*data.query, *data.gallery)
    shift = int(any(s.identity == 0 and s.identity not in data.distractors for s in test))

    def number(sample: Sample) -> int:
        return 0 if sample.identity in data.distractors else sample.identity + shift

    def names(part: str, samples: Iterable[Sample], identity: Callable[[Sample], int]) -> Iterator[Entry]:
        (folder / part).mkdir()
        seen = Counter[tuple[int, int]]()
        for sample in samples:
            who, camera = identity(sample), sample.camera + 1
            seen[who, camera] += 1
            yield Entry(sample, f"{part}/{who:04d}_c{camera}s1_{seen[who, camera]:06d}_00.jpg", who)

    return [
        *names("bounding_box_train", data.train, lambda sample: sample.identity + 1),
        *names("query", _people(data.query), number),
        *names("bounding_box_test", _people(data.gallery), number),
    ]


def _write_msmt17(data: ReidData, folder: Path) -> list[Entry]:
    """Make the folders and lists of the layout; what goes into them."""
    seen = Counter[tuple[str, int]]()

    def listed(part: str, listing: str, samples: Iterable[Sample]) -> list[Entry]:
        entries = []
        for sample in samples:
            who, count = sample.identity, seen[part, sample.identity]
            seen[part, who] += 1
            entries.append(Entry(sample, f"{part}/{who:04d}/{who:04d}_{count:03d}_{sample.camera + 1:02d}_0.jpg", who))
        lines = (f"{entry.path.partition('/')[2]} {entry.identity}\n" for entry in entries)
        (folder / listing).write_text("".join(lines), encoding="utf-8")
        for parent in {folder / part, *((folder / entry.path).parent for entry in entries)}:
            parent.mkdir(parents=True, exist_ok=True)
        return entries

    return [
        *listed("train", "list_train.txt", data.train),
        *listed("test", "list_query.txt", _people(data.query)),
        *listed("test", "list_gallery.txt", _people(data.gallery)),
    ]


def _people(samples: Iterable[Sample]) -> Iterator[Sample]:
    return (sample for sample in samples if sample.identity >= 0)


def _write_image(sample: Sample, path: Path, quality: int) -> None:
    image = read_image(sample.image)
    if isinstance(sample.image, Path) and sample.image.suffix.lower() in (".jpg", ".jpeg"):
        shutil.copyfile(sample.image, path)
    else:
        image.save(path, quality=quality, subsampling=0)
