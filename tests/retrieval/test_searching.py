import importlib.util
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reidctl.errors import InputError, MissingExtra
from reidctl.retrieval.faiss_index import index_path, search_faiss
from reidctl.retrieval.features import Features
from reidctl.retrieval.searching import closer_than, search_chunks, search_files
from reidctl.types import Embeddings, Sample
from tests.retrieval.features.test_files import written


def brute_force(queries: np.ndarray, gallery: np.ndarray, k: int) -> tuple[list[list[int]], list[list[float]]]:
    """From the definition: every distance in float64, a stable sort."""
    indices, distances = [], []
    for query in queries.astype(np.float64):
        row = [
            max(0.0, round(1 - float(query @ g) / float(np.sqrt((query @ query) * (g @ g))), 9))
            for g in gallery.astype(np.float64)
        ]
        order = sorted(range(len(row)), key=lambda i: (np.float32(row[i]), i))[:k]
        indices.append(order)
        distances.append([row[i] for i in order])
    return indices, distances


def chunked(gallery: np.ndarray, size: int) -> list[np.ndarray]:
    return [gallery[start : start + size] for start in range(0, len(gallery), size)]


@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(1, 8), st.integers(1, 70), st.integers(1, 4))
def test_the_nearest_are_those_of_brute_force_however_the_gallery_comes(
    seed: int, rows: int, k: int, chunk: int, values: int
) -> None:
    # Few whole numbers: many vectors are equal, or parallel, and tie.
    random = np.random.default_rng(seed)
    queries = random.integers(1, values + 1, (4, 3)).astype(np.float32)
    gallery = random.integers(1, values + 1, (rows, 3)).astype(np.float32)
    found = search_chunks(queries, chunked(gallery, chunk), k)
    indices, distances = brute_force(queries, gallery, k)
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_allclose(found.distances, distances, atol=1e-7)


def test_random_vectors_in_large_chunks() -> None:
    random = np.random.default_rng(0)
    queries, gallery = (random.standard_normal((n, 64), dtype=np.float32) for n in (300, 2000))
    found = search_chunks(queries, chunked(gallery, 700), 10)
    for query in (0, 255, 256, 299):
        indices, distances = brute_force(queries[query : query + 1], gallery, 10)
        assert found.indices[query].tolist() == indices[0]
        np.testing.assert_allclose(found.distances[query], distances[0], atol=1e-7)


def test_a_vector_is_at_zero_from_itself_and_never_at_minus_zero() -> None:
    gallery = np.random.default_rng(1).standard_normal((500, 256), dtype=np.float32)
    found = search_chunks(gallery, [gallery], 1)
    np.testing.assert_array_equal(found.indices[:, 0], np.arange(500))
    np.testing.assert_array_equal(found.distances, 0)
    assert not np.signbit(found.distances).any()


def test_a_threshold_keeps_what_is_closer() -> None:
    gallery = np.array([[1, 0], [0, 1], [-1, 0]], np.float32)
    found = search_chunks(np.array([[1, 0], [0, -1]], np.float32), [gallery], 3)
    near = closer_than(found, 1.0)
    assert [each.indices.tolist() for each in near] == [[0], []]


@pytest.mark.parametrize(
    ("queries", "gallery", "k", "words"),
    [
        ([[1.0, 2.0]], [[1.0, 2.0]], 0, "cannot find the 0 nearest"),
        ([[1.0, 2.0]], np.empty((0, 2)), 1, "the gallery is empty"),
        ([[1.0, 2.0]], [[1.0, 2.0, 3.0]], 1, "2 numbers each, those of the gallery 3"),
        ([[1.0, np.nan]], [[1.0, 2.0]], 1, "query features: row 0 is not finite"),
        ([[1.0, 2.0]], [[1.0, 2.0], [0.0, 0.0]], 1, "gallery features: row 1 is all zeros"),
    ],
)
def test_what_cannot_be_searched_is_refused(queries: list, gallery: list, k: int, words: str) -> None:
    rows = np.array(gallery, np.float32)
    with pytest.raises(InputError, match=words):
        search_chunks(np.array(queries, np.float32), [rows] if len(rows) else [], k)


@pytest.mark.parametrize(("broken", "words"), [(np.nan, "row 5 is not finite"), (0.0, "row 5 is all zeros")])
def test_a_row_that_cannot_be_compared_is_counted_through_all_chunks(broken: float, words: str) -> None:
    gallery = np.ones((7, 2), np.float32)
    gallery[5] = broken
    with pytest.raises(InputError, match=f"gallery features: {words}"):
        search_chunks(gallery[:1], chunked(gallery, 3), 1)


def stored(path: Path, vectors: np.ndarray) -> Features:
    samples = tuple(Sample(Path(f"/{i}.jpg"), f"{i}", -1, 0) for i in range(len(vectors)))
    return Features.open([written(path, Embeddings(vectors, samples), block=4000)])


@pytest.mark.skipif(importlib.util.find_spec("faiss") is None, reason="needs reidctl[search]")
def test_faiss_finds_nearly_all_and_keeps_its_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    people = random.standard_normal((600, 5), dtype=np.float32)
    vectors = (people[:, None] + 0.1 * random.standard_normal((600, 20, 5), dtype=np.float32)).reshape(-1, 5)
    gallery = stored(tmp_path / "f.parquet", vectors)
    queries = vectors[::100]
    exact = search_chunks(queries, gallery.vectors(), 10)
    found = search_files(queries, gallery.files, 10, search_faiss)
    shared = [len(set(a) & set(b)) for a, b in zip(exact.indices.tolist(), found.indices.tolist(), strict=True)]
    assert sum(shared) / (10 * len(queries)) > 0.95
    np.testing.assert_allclose(found.distances[:, 0], 0, atol=1e-6)
    kept = index_path(gallery.files[0])
    written_at = kept.stat().st_mtime_ns
    search_files(queries, gallery.files, 10, search_faiss)
    assert kept.stat().st_mtime_ns == written_at
    grown = stored(tmp_path / "f.parquet", vectors[:50])
    few = search_files(queries, grown.files, 60, search_faiss)
    assert few.indices.shape == (len(queries), 50)
    two = search_files(queries, [*grown.files, *grown.files], 2, search_faiss)
    assert two.indices[0].tolist() == [0, 50]


@pytest.mark.skipif(importlib.util.find_spec("faiss") is None, reason="needs reidctl[search]")
@pytest.mark.parametrize("hours", [-1, 1], ids=["older", "newer"])
def test_an_index_of_another_file_under_the_name_never_answers(tmp_path: Path, hours: int) -> None:
    one, other = np.eye(5, dtype=np.float32), np.eye(5, dtype=np.float32)[::-1]
    before = stored(tmp_path / "f.parquet", one)
    assert search_files(one[:1], before.files, 1, search_faiss).indices.tolist() == [[0]]
    # As many rows; a copy that keeps its time, `cp -p`, may be older than the index.
    after = stored(tmp_path / "f.parquet", other)
    moment = index_path(before.files[0]).stat().st_mtime_ns + hours * 3600 * 10**9
    os.utime(after.files[0].path, ns=(moment, moment))
    assert search_files(one[:1], after.files, 1, search_faiss).indices.tolist() == [[4]]


@pytest.mark.skipif(importlib.util.find_spec("faiss") is None, reason="needs reidctl[search]")
def test_faiss_names_the_row_that_is_not_finite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reidctl.retrieval.features.parquet.CHUNK", 3)
    vectors = np.ones((7, 5), np.float32)
    embeddings = Embeddings(vectors, tuple(Sample(Path(f"/{i}.jpg"), f"{i}", -1, 0) for i in range(7)))
    vectors[5] = np.inf
    gallery = Features.open([written(tmp_path / "f.parquet", embeddings)])
    with pytest.raises(InputError, match="gallery features: row 5 is not finite"):
        search_files(vectors[:1], gallery.files, 1, search_faiss)


def test_without_faiss_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    monkeypatch.setattr("reidctl.retrieval.faiss_index.find_spec", lambda name: None)
    gallery = stored(tmp_path / "f.parquet", np.ones((3, 5), np.float32))
    with pytest.raises(MissingExtra, match="faiss") as caught:
        search_faiss(np.ones((1, 5), np.float32), gallery.files[0], 1)
    assert caught.value.hint == "pip install 'reidctl[search]'"
    assert caught.value.exit_code == 3
