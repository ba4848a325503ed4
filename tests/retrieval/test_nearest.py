from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reidctl.errors import InputError
from reidctl.retrieval import arrays, nearest, search
from tests.retrieval.oracles import squared_distance


@given(st.integers(0, 10_000), st.integers(1, 400), st.integers(1, 8), st.integers(1, 50))
def test_the_nearest_are_those_of_a_stable_sort(seed: int, images: int, k: int, values: int) -> None:
    block = np.random.default_rng(seed).integers(-values, values, (5, images)).astype(np.float32)
    with ThreadPoolExecutor(2) as pool:
        found = nearest.nearest(block, k, pool)
    for row, indices, distances in zip(block, found.indices, found.distances, strict=True):
        wanted = sorted(range(images), key=lambda image: (row[image], image))[:k]
        assert list(indices) == wanted
        assert list(distances) == [row[image] for image in wanted]


def test_groups_of_rows_are_put_together_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "GROUP_BYTES", 3000)
    random = np.random.default_rng(0)
    query, gallery = random.standard_normal((40, 8)), random.standard_normal((700, 8))
    found = search(query, gallery, k=3, metric="euclidean")
    for i in range(40):
        distances = [squared_distance(query[i], image) for image in gallery]
        assert list(found.indices[i]) == list(np.argsort(distances)[:3])
        assert found.distances[i] == pytest.approx(sorted(distances)[:3], rel=1e-4)


def test_a_small_gallery_gives_all_it_has() -> None:
    found = search(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0], [1.0, 0.1]]), k=10)
    assert found.indices.tolist() == [[1, 0]]


@pytest.mark.parametrize(("images", "k"), [(0, 3), (5, 0)])
def test_a_search_for_nothing_is_refused(images: int, k: int) -> None:
    with pytest.raises(InputError, match=f"cannot find the {k} nearest of {images} gallery vectors"):
        search(np.ones((1, 4)), np.ones((images, 4)), k=k)
