from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reidctl.retrieval import distance
from reidctl.retrieval.distance import GalleryDistances, Metric, pair_distances, prepared

ARRAYS = np.load(Path(__file__).parents[1] / "parity" / "evaluation.npz")


def whole(query: np.ndarray, gallery: np.ndarray, metric: Metric) -> np.ndarray:
    return np.concatenate([block.copy() for block in GalleryDistances(gallery, metric).blocks(query)])


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_distances_are_those_of_the_original(metric: Metric) -> None:
    np.testing.assert_allclose(whole(ARRAYS["qf"], ARRAYS["gf"], metric), ARRAYS[f"dist.{metric}"], atol=2e-5)


def test_a_distance_depends_on_what_is_computed_with_it_in_the_last_bit_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = np.random.default_rng(0)
    query, gallery = (random.standard_normal((n, 70), dtype=np.float32) for n in (300, 500))
    together = whole(query, gallery, "cosine")
    for size in (1, 33, 257):
        np.testing.assert_allclose(whole(query[:size], gallery, "cosine"), together[:size], rtol=0, atol=3e-7)
    monkeypatch.setattr(distance, "BLOCK_ROWS", 64)
    np.testing.assert_allclose(whole(query, gallery, "cosine"), together, rtol=0, atol=3e-7)


def test_only_equal_images_are_twins() -> None:
    random = np.random.default_rng(0)
    gallery = random.standard_normal((1200, 5), dtype=np.float32)
    gallery[700], gallery[900], gallery[901] = gallery[3], gallery[3] * 2, gallery[4] + np.float32(1e-6)
    gallery[:2] = [[0.0, 1, 0, 0, 0], [-0.0, 1, 0, 0, 0]]
    twins = {metric: np.array(GalleryDistances(gallery, metric).twins).T.tolist() for metric in ("cosine", "euclidean")}
    assert twins == {"cosine": [[1, 0], [700, 3], [900, 3]], "euclidean": [[1, 0], [700, 3]]}


@settings(max_examples=20)
@given(st.integers(1, 300), st.integers(1, 90), st.sampled_from(["cosine", "euclidean"]))
def test_equal_images_are_equally_far(count: int, dim: int, metric: Metric) -> None:
    random = np.random.default_rng(count)
    query, image = random.standard_normal((3, dim), dtype=np.float32), random.standard_normal(dim, dtype=np.float32)
    block = whole(query, np.tile(image, (count, 1)), metric)
    np.testing.assert_array_equal(block, np.repeat(block[:, :1], count, axis=1))


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_any_kind_of_float_is_taken(kind: type) -> None:
    query, gallery = np.array([[3, 4], [0, 1]], kind), np.array([[3, 4], [-4, 3], [0, 0]], kind)
    np.testing.assert_allclose(whole(query, gallery, "cosine"), [[0, 1, 1], [0.2, 0.4, 1]], atol=1e-6)
    np.testing.assert_allclose(whole(query, gallery, "euclidean"), [[0, 50, 25], [18, 20, 1]], atol=1e-5)


def test_a_huge_gallery_is_taken_in_fewer_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distance, "BLOCK_BYTES", 64 * 4 * 1000)
    sizes = [
        len(block) for block in GalleryDistances(np.ones((960, 4), np.float32)).blocks(np.ones((100, 4), np.float32))
    ]
    assert sizes == [64, 36]


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_pairs_have_the_distances_of_the_matrix(metric: Metric) -> None:
    random = np.random.default_rng(1)
    features = random.standard_normal((50, 12), dtype=np.float32)
    left, right = random.integers(0, 50, 9000), random.integers(0, 50, 9000).astype(np.int32)
    pairs = pair_distances(prepared(features[:20], features[20:], metric), left, right, metric)
    np.testing.assert_allclose(pairs, whole(features, features, metric)[left, right], atol=1e-5)
