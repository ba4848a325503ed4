"""Is a data set sound: can every image be read, and can its test be scored?"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from reidctl.data.checking import parallel, require_file
from reidctl.data.images import ImageError, read_image
from reidctl.data.leakage import key_of, shared_images, shared_people
from reidctl.data.matching import no_match_cause, unmatched
from reidctl.data.problems import Problem
from reidctl.data.statistics import first_seen
from reidctl.errors import ReidError
from reidctl.types import ReidData, Sample, camera_number


def verify(data: ReidData, progress: Callable[[int], None] | None = None) -> list[Problem]:
    """Everything wrong with `data`; every image is decoded in full, a drawn one drawn.

    Kinds: those of `ImageError`; duplicate: another file has the same bytes; no matches, unmatched query: nothing in
    the gallery that could be right; one camera: a person to train on, or to find, whom a single camera saw;
    trained on, shared identity: test images or people in the training set.
    progress is told how many more images were opened.
    """
    return [
        *_unusable(data, progress),
        *_unmatched(data),
        *_one_camera("training", data.train, data.train_identities),
        *_one_camera("test", _sought(data)),
        *_shared(data),
    ]


def _unusable(data: ReidData, progress: Callable[[int], None] | None) -> Iterator[Problem]:
    """Images that cannot be read, and copies of others; only files that share their size have their bytes compared."""
    parts = {"train": data.train, "query": data.query, "gallery": data.gallery}
    distinct = {key_of(sample.image): (part, sample) for part, samples in parts.items() for sample in samples}
    sizes = {image: _size(image) for image in distinct if isinstance(image, Path)}
    often = Counter(sizes.values())
    shared = {image for image, size in sizes.items() if size and often[size] > 1}
    samples = [sample for _, sample in distinct.values()]
    first: dict[bytes, tuple[str, Sample]] = {}
    for sample, found in zip(samples, parallel(partial(_open, shared), samples, progress), strict=True):
        if isinstance(found, Problem):
            yield found
        elif found:
            here = distinct[key_of(sample.image)]
            part, twin = first.setdefault(found, here)
            if twin is not sample:
                other = ", which shows another person" if _differ((part, twin), here) else ""
                yield Problem("duplicate", sample.name, f"the same bytes as '{twin.name}' in {part}{other}")


def _open(shared: set[Path], sample: Sample) -> Problem | bytes | None:
    """Why the sample's image cannot be read; else the digest of its file where the file shares its size."""
    image = sample.image
    try:
        if isinstance(image, Path):
            require_file(image)
        read_image(image)
    except ImageError as error:
        return Problem(error.kind, sample.name, str(error))
    except ReidError as error:
        return Problem("unreadable", sample.name, str(error))
    if not isinstance(image, Path) or image not in shared:
        return None
    with image.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _differ(one: tuple[str, Sample], other: tuple[str, Sample]) -> bool:
    """Whether two samples show two people for certain: training labels and test identities do not compare."""
    return (one[0] == "train") == (other[0] == "train") and one[1].identity != other[1].identity


def _unmatched(data: ReidData) -> Iterator[Problem]:
    found = unmatched(data)
    if found and len(found) == len(data.query) and data.gallery:
        cause, hint = no_match_cause(data)
        yield Problem("no matches", "query", f"all {len(found):,} queries have no match in the gallery: {cause}", hint)
        return
    people = {sample.identity for sample in data.gallery}
    for query in found:
        if query.identity in people:
            own = camera_number(query.camera)
            what = f"the gallery has identity {query.identity} by the query's own camera {own} only"
        else:
            what = f"identity {query.identity} does not appear in the gallery"
        yield Problem("unmatched query", query.name, what)


def _sought(data: ReidData) -> list[Sample]:
    """The test images of people whom some query shows."""
    wanted = {query.identity for query in data.query}
    return [sample for sample in (*data.query, *data.gallery) if sample.identity in wanted]


def _one_camera(part: str, samples: Sequence[Sample], numbers: Sequence[int] = ()) -> Iterator[Problem]:
    seen = first_seen(samples)
    alone = sorted(identity for identity, cameras in seen.items() if len(cameras) == 1)
    if alone and len(alone) == len(seen):
        what = f"every one of the {len(seen):,} people was seen by one camera only"
        yield Problem("one camera", f"{part} identities", what)
        return
    for identity in alone:
        [(camera, sample)] = seen[identity].items()
        where = f"{part} identity {numbers[identity] if numbers else identity}"
        yield Problem(
            "one camera", where, f"seen by camera {camera_number(camera)} only (the first image is '{sample.name}')"
        )


def _shared(data: ReidData) -> Iterator[Problem]:
    for sample in shared_images(data.train, (*data.query, *data.gallery)):
        yield Problem("trained on", sample.name, "this test image is also a training image")
    for identity in shared_people(data, data):
        yield Problem("shared identity", f"identity {identity}", "this person is trained on and tested on")
