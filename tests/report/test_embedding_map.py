import sys

import numpy as np
import pytest

from reidctl.errors import MissingExtra
from reidctl.report.embedding_map import embedding_maps, principal_components
from tests.report.conftest import CAMERAS, PEOPLE, part


def test_components_are_the_directions_of_most_variance() -> None:
    """Points on a cross: 2 units along one diagonal, 1 along the other; the third axis is constant."""
    long, short = np.array([1, 1, 0]) / np.sqrt(2), np.array([1, -1, 0]) / np.sqrt(2)
    vectors = np.array([2 * long, -2 * long, short, -short]) + np.array([5, 6, 7])
    points, kept = principal_components(vectors.astype(np.float32))
    np.testing.assert_allclose(np.abs(points), [[2, 0], [2, 0], [0, 1], [0, 1]], atol=1e-5)
    assert kept == pytest.approx(1)


def test_distances_in_the_plane_are_those_of_the_eigenvectors() -> None:
    vectors = np.random.default_rng(0).standard_normal((30, 6)).astype(np.float32)
    points, kept = principal_components(vectors)
    values, axes = np.linalg.eigh(np.cov(vectors.astype(np.float64).T))
    expected = (vectors - vectors.mean(0)) @ axes[:, ::-1][:, :2]
    np.testing.assert_allclose(np.abs(points), np.abs(expected), atol=1e-4)
    assert kept == pytest.approx(values[::-1][:2].sum() / values.sum())


def test_the_map_shows_all_images_of_the_drawn_people() -> None:
    query, gallery = part("q", 0.5, 1), part("g", 0.5, 2)
    [found] = embedding_maps(query, gallery)
    assert found.method == "PCA"
    assert len(found.samples) == len(found.points) == 2 * PEOPLE * CAMERAS


def test_umap_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reidctl.report.embedding_map.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="needs umap-learn"):
        embedding_maps(part("q", 0.5, 1), part("g", 0.5, 2), umap=True)


def test_umap_is_asked_for_the_same_map_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """UMAP itself takes long to start, so a stand-in answers here: what is asked of it is what counts."""
    asked = {}

    class Stand:
        def __init__(self, **parameters: object) -> None:
            asked.update(parameters)

        def fit_transform(self, vectors: np.ndarray) -> np.ndarray:
            np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
            return vectors[:, :2]

    monkeypatch.setattr("reidctl.report.embedding_map.find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "umap", type(sys)("umap"))
    monkeypatch.setattr(sys.modules["umap"], "UMAP", Stand, raising=False)
    pca, found = embedding_maps(part("q", 0.5, 1), part("g", 0.5, 2), umap=True)
    assert found.method == "UMAP"
    assert found.points.shape == pca.points.shape
    assert asked["random_state"] == 0
