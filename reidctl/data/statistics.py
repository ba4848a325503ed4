"""What a data set holds, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from reidctl.types import ReidData, Sample


def statistics(data: ReidData) -> list[dict[str, Any]]:
    """Images, identities, cameras and images per identity of train, query and gallery.

    Distractors count as images of the gallery, not as identities.
    """
    # Training labels begin at 0 whatever the distractors are called.
    return [
        {"part": "train", **_count(data.train, frozenset())},
        {"part": "query", **_count(data.query, data.distractors)},
        {"part": "gallery", **_count(data.gallery, data.distractors)},
    ]


def first_seen(samples: Iterable[Sample]) -> dict[int, dict[int, Sample]]:
    """The first sample of each identity by each camera."""
    seen: dict[int, dict[int, Sample]] = {}
    for sample in samples:
        seen.setdefault(sample.identity, {}).setdefault(sample.camera, sample)
    return seen


def counts(data: ReidData) -> dict[str, dict[str, Any]]:
    """The images of each camera, and of each identity by camera, of train, query and gallery.

    Training identities have the data set's own numbers where it tells them, else their labels.
    """
    numbers = dict(enumerate(data.train_identities))
    return {
        "train": _by_camera(data.train, numbers),
        "query": _by_camera(data.query, {}),
        "gallery": _by_camera(data.gallery, {}),
    }


def _by_camera(samples: tuple[Sample, ...], numbers: dict[int, int]) -> dict[str, Any]:
    identities: dict[int, Counter[int]] = {}
    for sample in samples:
        number = numbers.get(sample.identity, sample.identity)
        identities.setdefault(number, Counter())[sample.camera] += 1
    cameras = Counter(sample.camera for sample in samples)
    return {
        "cameras": dict(sorted(cameras.items())),
        "identities": {identity: dict(sorted(found.items())) for identity, found in sorted(identities.items())},
    }


def _count(samples: tuple[Sample, ...], distractors: frozenset[int]) -> dict[str, Any]:
    people = [sample for sample in samples if sample.identity not in distractors and sample.identity >= 0]
    identities = {sample.identity for sample in people}
    return {
        "images": len(samples),
        "identities": len(identities),
        "cameras": len({sample.camera for sample in samples}),
        "images_per_identity": round(len(people) / len(identities), 1) if identities else 0.0,
    }
