"""Is anything that a run is tested on also trained on?"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from reidctl.types import ReidData, Sample

if TYPE_CHECKING:
    from PIL.Image import Image


def shared_images(train: Iterable[Sample], test: Iterable[Sample]) -> list[Sample]:
    """The test samples whose picture is a training picture: the same file, by whatever path or link, or drawing."""
    trained = {_origin(sample) for sample in train}
    return [sample for sample in test if _origin(sample) in trained] if trained else []


def shared_people(source: ReidData, target: ReidData) -> list[int]:
    """The identities that two versions of one data set train and test on; none where its numbers do not tell."""
    return sorted(set(source.train_identities) & tested_people(target))


def tested_people(data: ReidData) -> set[int]:
    """The identities of query and gallery without junk and distractors."""
    return {sample.identity for sample in (*data.query, *data.gallery) if sample.identity >= 0} - data.distractors


def key_of(image: Path | Callable[[], Image]) -> Hashable:
    """What tells a picture's source from others: itself, or the object where it is one that cannot be hashed."""
    return image if isinstance(image, Hashable) else id(image)


def _origin(sample: Sample) -> Hashable:
    if isinstance(sample.image, Path):
        try:
            found = os.stat(sample.image)
        except OSError:
            return sample.image
        return found.st_dev, found.st_ino
    return key_of(sample.image)
