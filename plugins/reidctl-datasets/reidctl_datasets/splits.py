"""From numbered images to a data set: random halves, pairs of cameras, a gallery of one image each.

Chance is a hash of the split's number and the thing drawn, so that a split is the same on every machine and under every
version of Python, and does not change when another image is added.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Annotated

from annotated_types import Ge, Le
from pydantic import Field

from reidctl.datasets.layout import relabelled
from reidctl.types import ReidData, Sample

Split = Annotated[int, Ge(0), Le(9), Field(description="which of ten random halves of the people is trained on")]
Reverse = Annotated[bool, Field(description="search images of the second camera among those of the first")]


def lot(split: int, what: object) -> bytes:
    """What the things drawn in split number `split` are sorted by."""
    return hashlib.blake2b(f"{split}/{what}".encode(errors="surrogateescape"), digest_size=8).digest()


def trained_half(identities: Iterable[int], split: int) -> frozenset[int]:
    """Half of the identities, drawn; the smaller half where their number is odd."""
    drawn = sorted(set(identities), key=lambda identity: lot(split, identity))
    return frozenset(drawn[: len(drawn) // 2])


def parted(name: str, samples: Sequence[Sample], trained: Collection[int], queries: Collection[int]) -> ReidData:
    """A data set that trains on the `trained` people and looks for the others' images by cameras `queries` in the rest.

    Identities of `samples` are the data set's own numbers.
    """
    train, numbers = relabelled([sample for sample in samples if sample.identity in trained])
    tested = [sample for sample in samples if sample.identity not in trained]
    return ReidData(
        name,
        train=train,
        query=tuple(sample for sample in tested if sample.camera in queries),
        gallery=tuple(sample for sample in tested if sample.camera not in queries),
        train_identities=numbers,
    )


def one_shot(samples: Sequence[Sample], split: int) -> list[Sample]:
    """The samples of a set whose files name no camera: one drawn image of each identity is camera 1, the others 0.

    Queries are the images of camera 0, and the gallery holds one image of everybody.
    """
    images: defaultdict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        images[sample.identity].append(sample)
    drawn = {min(own, key=lambda sample: lot(split, sample.name)).name for own in images.values()}
    return [replace(sample, camera=1 if sample.name in drawn else 0) for sample in samples]
