import shutil
from pathlib import Path

import numpy as np
import pytest

from reidctl.errors import InputError
from reidctl.testing import check_index, example_embeddings
from reidctl.types import Embeddings, Sample
from reidctl_lancedb.index import LanceIndex


def people(count: int, dim: int = 64, noise: float = 0.8) -> tuple[np.ndarray, np.ndarray]:
    """Vectors around one point a person, ten of each, and a query for every fifth person."""
    random = np.random.default_rng(0)
    points = random.standard_normal((count // 10, dim))
    vectors = points[np.arange(count) % len(points)] + noise * random.standard_normal((count, dim))
    queries = points[::5] + noise * random.standard_normal((len(points[::5]), dim))
    return vectors.astype(np.float32), queries.astype(np.float32)


def embeddings(vectors: np.ndarray) -> Embeddings:
    return Embeddings(vectors, tuple(Sample(Path(f"{row}.jpg"), str(row), row, row % 6) for row in range(len(vectors))))


def exact(queries: np.ndarray, vectors: np.ndarray, k: int) -> np.ndarray:
    units = [rows.astype(float) / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (queries, vectors)]
    return np.argsort(-units[0] @ units[1].T, axis=1)[:, :k]


@pytest.mark.parametrize("approximate_from", [0, 10], ids=["exact", "lists"])
def test_it_keeps_the_contract_of_an_index(approximate_from: int, tmp_path: Path) -> None:
    check_index(lambda dim: LanceIndex(approximate_from, location=str(tmp_path / "index"), dim=dim))


def test_cameras_and_times_by_hand(tmp_path: Path) -> None:
    """Five images on a quarter circle, at 0, 20, 40, 60 and 80 degrees from the query.

    name     a     b     c     d     e
    camera   0     1     0     1     1
    time    100   200   300   400    -
    """
    angles = np.radians([0, 20, 40, 60, 80])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    cameras = {"a": 0, "b": 1, "c": 0, "d": 1, "e": 1}
    samples = tuple(Sample(Path(f"/{name}.jpg"), name, 7, camera) for name, camera in cameras.items())
    index = LanceIndex(location=str(tmp_path / "index"), dim=2)
    index.add(Embeddings(vectors, samples), np.array([100, 200, 300, 400, np.nan]))
    query = np.array([[1, 0]], np.float32)

    def names(**chosen: object) -> str:
        return "".join(found.sample.name for found in index.search(query, 3, **chosen)[0])  # type: ignore[arg-type]

    assert names() == "abc"
    assert names(cameras=[1]) == "bde"
    assert names(since=200) == "bcd"
    assert names(until=300) == "ab"
    assert names(cameras=[1], since=201) == "d"
    assert names(cameras=[]) == ""
    nearest = index.search(query, 3)[0]
    assert [found.distance for found in nearest] == pytest.approx(1 - np.cos(angles[:3]), abs=1e-6)
    assert [found.time for found in nearest] == [100, 200, 300]
    assert nearest[1].sample == samples[1]


def test_lists_find_nearly_all_that_is_nearest(tmp_path: Path) -> None:
    vectors, queries = people(20_000)
    index = LanceIndex(approximate_from=10_000, location=str(tmp_path / "index"), dim=64)
    index.add(embeddings(vectors))
    found = index.search(queries, 10)
    wanted = exact(queries, vectors, 10)
    names = [{int(one.sample.name) for one in near} for near in found]
    hits = [len(near & set(right)) for near, right in zip(names, wanted.tolist(), strict=True)]
    assert np.mean(hits) / 10 >= 0.99


@pytest.mark.parametrize(("approximate_from", "removed"), [(0, 0), (4000, 100)], ids=["never", "too few are left"])
def test_lists_that_are_there_do_not_make_a_search_approximate(
    approximate_from: int, removed: int, tmp_path: Path
) -> None:
    """One list of four is looked through where a search is approximate, so that some of the nearest are missed."""
    vectors, queries = people(4096)
    place, wanted = str(tmp_path / "index"), exact(queries, vectors[removed:], 10)

    def found(index: LanceIndex) -> list[list[int]]:
        return [[int(one.sample.name) - removed for one in near] for near in index.search(queries, 10)]

    index = LanceIndex(approximate_from=4000, probes=1, location=place, dim=64)
    index.add(embeddings(vectors))
    index.delete([str(row) for row in range(removed)])
    index = LanceIndex(approximate_from=approximate_from, probes=1, location=place)
    if not removed:
        assert found(LanceIndex(approximate_from=4000, probes=1, location=place)) != wanted.tolist()
    assert found(index) == wanted.tolist()


def test_it_is_found_again_with_what_made_it(tmp_path: Path) -> None:
    place = str(tmp_path / "index")
    LanceIndex(location=place, dim=8, made={"model": '"osnet"', "reidctl.model": "here"}).add(example_embeddings(9, 8))
    again = LanceIndex(location=place)
    assert (len(again), again.dim) == (9, 8)
    assert again.made == {"model": '"osnet"', "reidctl.model": "here"}


def test_a_place_without_an_index_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no index is there"):
        LanceIndex(location=str(tmp_path / "nothing"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("part", ["data", "_versions"])
def test_a_damaged_index_is_one_line(part: str, tmp_path: Path) -> None:
    place = tmp_path / "index"
    LanceIndex(location=str(place), dim=8).add(example_embeddings(50, 8))
    for file in (place / "embeddings.lance" / part).iterdir():
        file.write_bytes(file.read_bytes()[:20])
    with pytest.raises(InputError) as caught:
        LanceIndex(location=str(place)).search(np.ones((1, 8), np.float32), 3)
    assert str(place) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_index_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index" / "embeddings.lance").mkdir(parents=True)
    with pytest.raises(InputError, match="LanceDB cannot use it"):
        LanceIndex(location=str(tmp_path / "index"))
    shutil.rmtree(tmp_path / "index")


def test_a_file_is_no_place_for_an_index(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="LanceDB cannot use it"):
        LanceIndex(location=str(tmp_path / "file"), dim=8)
    assert (tmp_path / "file").read_text() == "mine"
