from pathlib import Path

import numpy as np
import pytest

from reidctl.report.suspects import suspects
from reidctl.retrieval import rank_gallery
from reidctl.types import Embeddings, Sample


def at(kind: str, places: list[tuple[int, int, float]]) -> Embeddings:
    """(identity, camera, place on a line), an image each."""
    samples = [Sample(Path(f"{kind}{i}.jpg"), f"{kind}{i}", who, camera) for i, (who, camera, _) in enumerate(places)]
    return Embeddings(np.array([[place] for *_, place in places], np.float32), tuple(samples))


QUERY = at("q", [(1, 0, 0.0), (2, 0, 10.0), (3, 0, 20.0), (4, 0, 30.0), (5, 0, 40.0)])
# Squared distances to the own image: 1, 1, 1, 1 and 45² for person 5; 6 is 0.5² from 1.
GALLERY = at(
    "g", [(1, 1, 1.0), (2, 1, 11.0), (3, 1, 21.0), (4, 1, 31.0), (5, 1, 85.0), (6, 1, 0.5), (6, 2, 0.6), (-1, 0, 9.0)]
)


def test_people_too_near_and_a_person_too_far_are_found() -> None:
    found = suspects(QUERY, GALLERY, rank_gallery(QUERY, GALLERY, metric="euclidean"), "euclidean")
    assert found.typical_same == pytest.approx(1.0)
    assert [(pair.query.name, pair.gallery.name) for pair in found.near] == [("q0", "g5")]
    assert found.near[0].distance == pytest.approx(0.25)
    assert [(pair.query.name, pair.gallery.name) for pair in found.far] == [("q4", "g4")]
    assert found.far[0].distance == pytest.approx(45**2)


def test_the_typical_distance_of_different_people_is_their_median() -> None:
    found = suspects(QUERY, GALLERY, rank_gallery(QUERY, GALLERY, metric="euclidean"), "euclidean")
    exact = [
        (q[0] - g[0]) ** 2
        for q, one in zip(QUERY.vectors, QUERY.samples, strict=True)
        for g, other in zip(GALLERY.vectors, GALLERY.samples, strict=True)
        if other.identity >= 0 and one.identity != other.identity
    ]
    assert found.typical_different == pytest.approx(np.median(exact), rel=0.05)


def test_without_pairs_of_one_person_nothing_is_suspected() -> None:
    strangers = at("g", [(7, 1, 0.0), (8, 1, 10.0)])
    found = suspects(QUERY, strangers, rank_gallery(QUERY, strangers, metric="euclidean"), "euclidean")
    assert (found.near, found.far) == ((), ())
