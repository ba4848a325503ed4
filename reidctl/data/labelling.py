"""Images of a list that a data set knows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from reidctl.types import ReidData, Sample


def labelled(samples: Iterable[Sample], data: ReidData) -> tuple[Sample, ...]:
    """The samples, with the identity and camera that the data set gives the same file; others as they are.

    People that are trained on have the numbers of `train_identities`; where the data set has none for them, they stay
    unknown, for their labels would name others of the test.
    """
    numbers = data.train_identities
    train = [replace(sample, identity=numbers[sample.identity]) for sample in data.train] if numbers else []
    known = {
        sample.image.resolve(): sample
        for sample in (*train, *data.query, *data.gallery)
        if isinstance(sample.image, Path)
    }
    found = []
    for sample in samples:
        same = known.get(sample.image.resolve()) if isinstance(sample.image, Path) else None
        found.append(replace(sample, identity=same.identity, camera=same.camera) if same else sample)
    return tuple(found)
