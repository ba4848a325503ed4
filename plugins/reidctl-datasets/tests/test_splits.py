"""Chance that is the same everywhere."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from reidctl.types import Sample
from reidctl_datasets.splits import one_shot, parted, trained_half


def _samples(*people: tuple[int, int, int]) -> list[Sample]:
    """(identity, camera, number) of each."""
    return [Sample(Path(f"{i}-{c}-{n}"), f"{i}-{c}-{n}", i, c) for i, c, n in people]


@pytest.mark.parametrize("split", [0, 3])
def test_the_people_of_the_lowest_hashes_are_trained_on(split: int) -> None:
    people = [5, 6, 11, 12, 40]
    hashes = {hashlib.blake2b(f"{split}/{person}".encode(), digest_size=8).hexdigest(): person for person in people}
    assert trained_half([*people, 5, 40], split) == {person for _, person in sorted(hashes.items())[:2]}


def test_halves_are_halves_and_differ_from_split_to_split() -> None:
    halves = [trained_half(range(632), split) for split in range(10)]
    assert {len(half) for half in halves} == {316}
    assert len(set(halves)) == 10
    # Two random halves of 632 share 158 on average, with a deviation of 6.3.
    assert all(120 < len(one & other) < 196 for i, one in enumerate(halves) for other in halves[:i])


def test_the_other_people_are_searched_for_in_the_other_cameras() -> None:
    data = parted("x", _samples((3, 0, 0), (3, 1, 0), (8, 0, 0), (8, 1, 0), (8, 2, 0)), {3}, queries={1})
    assert [(sample.name, sample.identity) for sample in data.train] == [("3-0-0", 0), ("3-1-0", 0)]
    assert data.train_identities == (3,)
    assert [sample.name for sample in data.query] == ["8-1-0"]
    assert [sample.name for sample in data.gallery] == ["8-0-0", "8-2-0"]


def test_without_cameras_one_image_of_everybody_is_set_apart() -> None:
    samples = _samples(*((identity, 0, number) for identity in (1, 2, 7) for number in range(4)), (9, 0, 0))
    found = one_shot(samples, split=2)
    assert [sample.name for sample in found] == [sample.name for sample in samples]
    apart = [sample for sample in found if sample.camera == 1]
    assert sorted(sample.identity for sample in apart) == [1, 2, 7, 9]
    assert {sample.camera for sample in found} == {0, 1}
    drawn = {tuple(s.name for s in one_shot(samples, split) if s.camera == 1) for split in range(10)}
    assert len(drawn) > 3
