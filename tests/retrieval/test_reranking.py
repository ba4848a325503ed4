import tracemalloc
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from reidctl.errors import ConfigError
from reidctl.retrieval import rerank, search
from tests.retrieval.oracles import dense_rerank, noisy_trial

ARRAYS = np.load(Path(__file__).parents[1] / "parity" / "evaluation.npz")


def whole(*arguments: object, **options: object) -> np.ndarray:
    return np.concatenate([block.copy() for block in rerank(*arguments, **options)])


@pytest.mark.parametrize("normalised", [False, True], ids=["", "normalised"])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_final_distances_are_those_of_the_original(metric: str, normalised: bool) -> None:
    query, gallery = ARRAYS["qf"], ARRAYS["gf"]
    if normalised:
        query, gallery = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (query, gallery))
    wanted = ARRAYS[f"rerank.{metric}{'_norm' if normalised else ''}"]
    np.testing.assert_allclose(whole(query, gallery, metric=metric), wanted, atol=1e-5)


def test_other_parameters_give_what_they_gave_in_the_original() -> None:
    found = whole(ARRAYS["qf"], ARRAYS["gf"], k1=8, k2=3, lambda_value=0.5)
    np.testing.assert_allclose(found, ARRAYS["rerank.cosine_k8_k3_l0.5"], atol=1e-5)


@pytest.mark.parametrize(
    ("k1", "k2", "share"),
    [(20, 6, 0.3), (5, 1, 0.0), (11, 4, 0.2), (5, 2, 1.0), (3, 9, 0.5), (200, 6, 0.3), (1, 1, 0.1)],
)
@pytest.mark.parametrize("noise", [0.3, 1.5])
def test_final_distances_follow_the_published_algorithm(k1: int, k2: int, share: float, noise: float) -> None:
    trial = noisy_trial(1, queries=15, images=65, people=6, noise=noise)
    unit = np.concatenate([trial.query, trial.gallery]).astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    wanted = dense_rerank(1 - unit @ unit.T, 15, k1, k2, share)
    np.testing.assert_allclose(whole(trial.query, trial.gallery, k1, k2, share), wanted, atol=1e-5)


def test_no_distance_depends_on_the_size_of_a_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = noisy_trial(2, queries=40, images=200, people=12, noise=1.0)
    before = whole(trial.query, trial.gallery)
    monkeypatch.setattr(import_module("reidctl.retrieval.reranking"), "CHUNK_ROWS", 7)
    np.testing.assert_array_equal(whole(trial.query, trial.gallery), before)


def test_images_that_are_all_the_same_have_finite_distances() -> None:
    assert np.isfinite(whole(np.ones((3, 4), np.float32), np.ones((30, 4), np.float32))).all()


def test_the_matrix_of_all_images_is_never_held() -> None:
    trial = noisy_trial(3, queries=300, images=3700, people=200, noise=0.5)
    tracemalloc.start()
    for _ in rerank(trial.query, trial.gallery):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4000 * 4000 * 4


@pytest.mark.parametrize("parameters", [{"k1": 0}, {"k2": 0}, {"lambda_value": 1.5}])
def test_parameters_out_of_range_are_refused(parameters: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="is not possible"):
        rerank(np.ones((2, 4)), np.ones((9, 4)), **parameters)


def test_an_unknown_metric_is_refused() -> None:
    features = np.eye(4, dtype=np.float32)
    for compute in (rerank, search):
        with pytest.raises(ConfigError, match="no metric 'cosin'") as caught:
            compute(features, features, metric="cosin")  # type: ignore[arg-type]
        assert caught.value.hint == "did you mean 'cosine'?"
