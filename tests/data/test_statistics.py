from pathlib import Path

from reidctl.data.statistics import statistics
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
