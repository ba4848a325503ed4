"""The classic "query identities do not appear in gallery", told apart by its causes."""

from pathlib import Path

import pytest

from reidctl.data.matching import no_match_cause, unmatched
from reidctl.types import ReidData, Sample


def _data(query: list[tuple[int, int]], gallery: list[tuple[int, int]]) -> ReidData:
    def samples(part: str, shots: list[tuple[int, int]]) -> tuple[Sample, ...]:
        return tuple(Sample(Path(f"{part}{k}"), f"{part}{k}", *shot) for k, shot in enumerate(shots))

    return ReidData("some", query=samples("q", query), gallery=samples("g", gallery))


def test_a_query_needs_its_identity_from_another_camera() -> None:
    data = _data([(1, 0), (2, 0), (3, 0), (4, 1)], [(1, 1), (2, 0), (4, 0), (4, 1)])
    assert [query.name for query in unmatched(data)] == ["q1", "q2"]


@pytest.mark.parametrize(
    ("query", "gallery", "cause", "hint"),
    [
        ([(1, 0)], [(-1, 0), (-1, 1)], "every gallery image is junk", "tell the identity"),
        (
            [(1, 0), (2, 0)],
            [(1001, 1), (1002, 1), (1003, 1), (1004, 1)],
            "query identities do not appear in the gallery: none of 1, 2 is among 1001, 1002, …, 1004 (4 people)",
            "another data set or split",
        ),
        ([(1, 3), (2, 3)], [(1, 3), (2, 3)], "every image has the same camera", "the wrong place of the file name"),
        ([(1, 0), (2, 1)], [(1, 0), (2, 1), (5, 3)], "by the query's own camera only", "by other cameras"),
    ],
)
def test_each_cause_is_told(
    query: list[tuple[int, int]], gallery: list[tuple[int, int]], cause: str, hint: str
) -> None:
    found = no_match_cause(_data(query, gallery))
    assert cause in found[0]
    assert hint in found[1]
