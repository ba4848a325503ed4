"""What a data set holds, counted."""

from __future__ import annotations

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


def _count(samples: tuple[Sample, ...], distractors: frozenset[int]) -> dict[str, Any]:
    people = [sample for sample in samples if sample.identity not in distractors and sample.identity >= 0]
    identities = {sample.identity for sample in people}
    return {
        "images": len(samples),
        "identities": len(identities),
        "cameras": len({sample.camera for sample in samples}),
        "images_per_identity": round(len(people) / len(identities), 1) if identities else 0.0,
    }
