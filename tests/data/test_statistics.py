from pathlib import Path

from reidctl.data.statistics import counts, statistics
from reidctl.types import ReidData, Sample


def _sample(identity: int, camera: int) -> Sample:
    return Sample(Path("x.jpg"), f"{identity}_{camera}", identity, camera)


def test_people_are_counted_and_distractors_are_not() -> None:
    data = ReidData(
        "x",
        train=(_sample(0, 0), _sample(0, 1), _sample(1, 1)),
        query=(_sample(7, 0),),
        gallery=(_sample(7, 1), _sample(0, 2), _sample(-1, 2)),
        distractors=frozenset({0}),
    )
    assert statistics(data) == [
        {"part": "train", "images": 3, "identities": 2, "cameras": 2, "images_per_identity": 1.5},
        {"part": "query", "images": 1, "identities": 1, "cameras": 1, "images_per_identity": 1.0},
        {"part": "gallery", "images": 3, "identities": 1, "cameras": 2, "images_per_identity": 1.0},
    ]


def test_an_empty_part_has_no_images_per_identity() -> None:
    assert {row["images_per_identity"] for row in statistics(ReidData("x"))} == {0.0}


def test_images_are_counted_by_camera_and_by_the_data_sets_own_identities() -> None:
    data = ReidData(
        "x",
        train=(_sample(0, 0), _sample(0, 1), _sample(1, 1), _sample(1, 1)),
        gallery=(_sample(7, 1), _sample(-1, 2)),
        train_identities=(40, 12),
    )
    assert counts(data) == {
        "train": {"cameras": {0: 1, 1: 3}, "identities": {12: {1: 2}, 40: {0: 1, 1: 1}}},
        "query": {"cameras": {}, "identities": {}},
        "gallery": {"cameras": {1: 1, 2: 1}, "identities": {-1: {2: 1}, 7: {1: 1}}},
    }
