"""Is a data set sound: can every image be read, and can its test be scored?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from reidctl.data.images import read_image
from reidctl.errors import ReidError
from reidctl.types import ReidData, Sample


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong: its kind, the sample or part it stands in, and what it is."""

    kind: str
    where: str
    what: str


def verify(data: ReidData, progress: Callable[[int], None] | None = None) -> list[Problem]:
    """Everything wrong with `data`: unreadable images, queries without a match, identities in train and test."""
    samples = (*data.train, *data.query, *data.gallery)
    return [*_unreadable(samples, progress), *_unmatched(data), *_shared(data)]


def _unreadable(samples: Sequence[Sample], progress: Callable[[int], None] | None) -> list[Problem]:
    def read(sample: Sample) -> Problem | None:
        try:
            read_image(sample.image)
        except ReidError as error:
            return Problem("unreadable", sample.name, str(error))
        finally:
            if progress:
                progress(1)
        return None

    with ThreadPoolExecutor() as pool:
        return [problem for problem in pool.map(read, samples) if problem]


def _unmatched(data: ReidData) -> list[Problem]:
    seen: dict[int, set[int]] = {}
    for sample in data.gallery:
        seen.setdefault(sample.identity, set()).add(sample.camera)
    unmatched = [query for query in data.query if not seen.get(query.identity, set()) - {query.camera}]
    if data.query and len(unmatched) == len(data.query):
        one_camera = len({sample.camera for sample in (*data.query, *data.gallery)}) == 1
        cause = (
            "every image has the same camera, so that every match is removed as seen by the query's own"
            if one_camera
            else "no query's identity was seen by another camera in the gallery"
        )
        return [Problem("no matches", "query", f"all {len(unmatched)} queries have no match in the gallery: {cause}")]
    what = "no other camera of the gallery saw identity {}"
    return [Problem("unmatched query", query.name, what.format(query.identity)) for query in unmatched]


def _shared(data: ReidData) -> list[Problem]:
    """Training labels are renumbered, so the files themselves tell whether test images are trained on."""
    trained = {sample.image for sample in data.train}
    return [
        Problem("trained on", sample.name, "this test image is also a training image")
        for sample in (*data.query, *data.gallery)
        if sample.image in trained
    ]
