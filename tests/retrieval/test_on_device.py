"""The torch code, on the CPU device of torch: what a GPU would run, beside numpy and the definitions."""

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from reidctl.config import Rerank
from reidctl.errors import ConfigError
from reidctl.retrieval import evaluate_features, nearest, on_device, rank_gallery, ranks, rerank
from reidctl.retrieval.distance import GalleryDistances, Metric
from reidctl.retrieval.on_device import DeviceBlock, device_blocks
from tests.retrieval.oracles import Trial, noisy_trial, slow_metrics, squared_distance, trials
from tests.retrieval.test_ranking import embeddings

reranking = import_module("reidctl.retrieval.reranking")
ARRAYS = np.load(Path(__file__).parents[1] / "parity" / "evaluation.npz")


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> str:
    """A name for which the torch code runs on the CPU."""
    original = reranking.place_of
    monkeypatch.setattr(reranking, "place_of", lambda name: torch.device("cpu") if name == "torch" else original(name))
    return "torch"


def whole(*arguments: object, **options: object) -> np.ndarray:
    return np.concatenate([np.array(block) for block in rerank(*arguments, **options)])


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_blocks_have_the_distances_of_numpy(metric: Metric) -> None:
    random = np.random.default_rng(0)
    query, gallery = (random.standard_normal((n, 70), dtype=np.float32) for n in (300, 500))
    distances = GalleryDistances(gallery, metric)
    there = np.concatenate([np.array(block) for block in device_blocks(distances, query, torch.device("cpu"))])
    here = np.concatenate([block.copy() for block in distances.blocks(query)])
    np.testing.assert_allclose(there, here, rtol=1e-5, atol=1e-5)


@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(1, 8), st.integers(1, 9))
def test_picked_counted_and_searched_as_an_array_is(seed: int, images: int, k: int, values: int) -> None:
    random = np.random.default_rng(seed)
    array = random.integers(-values, values, (5, images)).astype(np.float32)
    array[array == 0] = random.choice([-0.0, 0.0], (array == 0).sum())
    block = DeviceBlock(torch.from_numpy(array.copy()))
    rows, columns = random.integers(0, 5, 7), random.integers(0, images, 7)
    thresholds = np.sort(random.integers(-values, values, (5, 3)).astype(np.float32), axis=1)
    thresholds[0, 1:] = -np.inf
    with ThreadPoolExecutor(1) as pool:
        here, there = (nearest.nearest(each, k, pool) for each in (array, block))
        np.testing.assert_array_equal(there.indices, here.indices)
        np.testing.assert_array_equal(there.distances, here.distances)
        counts = [ranks.count_within(each, thresholds, pool) for each in (array, block)]
        np.testing.assert_array_equal(*counts)
        np.testing.assert_array_equal(counts[1], (array[:, None] <= thresholds[..., None]).sum(axis=2))
    np.testing.assert_array_equal(block[rows, columns], array[rows, columns])
    np.testing.assert_array_equal(block.maxima(), array.max(axis=1))
    block[rows, columns] = np.inf
    array[rows, columns] = np.inf
    np.testing.assert_array_equal(np.asarray(block), array)


@settings(max_examples=30)
@given(trials())
def test_metrics_follow_the_definition(trial: Trial) -> None:
    distances = np.array([[squared_distance(q, g) for g in trial.gallery] for q in trial.query])
    first, precisions, penalties = slow_metrics(trial, distances)
    assume(first)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reranking, "place_of", lambda _: torch.device("cpu"))
        found = evaluate_features(*trial.arguments, metric="euclidean", ranks=(1,), device="cuda")
    assert found.cmc == {1: pytest.approx(np.mean([rank == 1 for rank in first]))}
    assert (found.mAP, found.mINP) == (pytest.approx(np.mean(precisions)), pytest.approx(np.mean(penalties)))


def test_rankings_and_metrics_are_those_of_numpy(device: str) -> None:
    trial = noisy_trial(1, queries=40, images=300, people=12, noise=1.0)
    for spec in (None, Rerank(k1=6, k2=3)):
        here, there = (rank_gallery(*embeddings(trial), topk=5, rerank=spec, device=name) for name in ("cpu", device))
        np.testing.assert_array_equal(there.gallery, here.gallery)
        np.testing.assert_allclose(there.distances, here.distances, atol=1e-6)
        np.testing.assert_allclose(there.average_precision, here.average_precision, atol=1e-12)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_reranked_distances_are_those_of_the_original(
    metric: Metric, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_device, "OVERLAP_ENTRIES", 5000)
    found = whole(ARRAYS["qf"], ARRAYS["gf"], metric=metric, device=device)
    np.testing.assert_allclose(found, ARRAYS[f"rerank.{metric}"], atol=1e-5)


def test_full_precision_is_asked_for_within_the_product_only(monkeypatch: pytest.MonkeyPatch) -> None:
    matmul = torch.backends.cuda.matmul
    before, product, seen = matmul.fp32_precision, torch.mm, []

    def watched(*factors: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
        seen.append(matmul.fp32_precision)
        return product(*factors, out=out)

    monkeypatch.setattr(torch, "mm", watched)
    ones = np.ones((3, 2), np.float32)
    try:
        matmul.fp32_precision = "tf32"
        assert len(list(device_blocks(GalleryDistances(ones), ones, torch.device("cpu")))) == 1
        assert (seen, matmul.fp32_precision) == (["ieee"], "tf32")
    finally:
        matmul.fp32_precision = before


@settings(max_examples=20)
@given(st.integers(1, 300), st.integers(1, 90), st.sampled_from(["cosine", "euclidean"]))
def test_equal_images_are_equally_far(count: int, dim: int, metric: Metric) -> None:
    random = np.random.default_rng(count)
    query, image = random.standard_normal((3, dim), dtype=np.float32), random.standard_normal(dim, dtype=np.float32)
    distances = GalleryDistances(np.tile(image, (count, 1)), metric)
    (block,) = device_blocks(distances, query, torch.device("cpu"))
    array = np.asarray(block)
    np.testing.assert_array_equal(array, np.repeat(array[:, :1], count, axis=1))


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    trial = noisy_trial(7, queries=5, images=50, people=3, noise=1.0)
    for spec in (None, Rerank()):
        with pytest.raises(ConfigError, match="no 'cuda' here, torch sees 0 GPUs"):
            evaluate_features(*trial.arguments, rerank=spec, device="cuda")
    with pytest.raises(ConfigError, match="'gpu' is no device"):
        evaluate_features(*trial.arguments, device="gpu")


def test_auto_is_the_cpu_where_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert reranking.place_of("auto") is None


@pytest.mark.gpu
@pytest.mark.parametrize("spec", [None, Rerank()], ids=["plain", "reranked"])
@pytest.mark.parametrize("noise", [0.5, 2.0])
def test_a_gpu_finds_what_the_cpu_finds(spec: Rerank | None, noise: float) -> None:
    trial = noisy_trial(2, queries=300, images=5000, people=200, noise=noise, dim=128)
    here, there = (evaluate_features(*trial.arguments, rerank=spec, device=name) for name in ("cpu", "cuda"))
    assert there.mAP == pytest.approx(here.mAP, abs=1e-4)
    assert list(there.cmc.values()) == pytest.approx(list(here.cmc.values()), abs=0.01)


@pytest.mark.gpu
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_a_gpu_gives_the_reranked_distances_of_the_original(metric: Metric) -> None:
    found = whole(ARRAYS["qf"], ARRAYS["gf"], metric=metric, device="cuda")
    np.testing.assert_allclose(found, ARRAYS[f"rerank.{metric}"], atol=1e-5)
