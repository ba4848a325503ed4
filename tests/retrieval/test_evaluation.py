import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from reidctl.config import Rerank
from reidctl.errors import InputError
from reidctl.retrieval import arrays, distance, evaluate, evaluate_features, ranks
from reidctl.types import Embeddings, Sample
from tests.retrieval.oracles import Trial, noisy_trial, slow_metrics, squared_distance, trials

PARITY = Path(__file__).parents[1] / "parity"
VALUES = json.loads((PARITY / "evaluation.json").read_text())["results"]
ARRAYS = np.load(PARITY / "evaluation.npz")
ORIGINAL = Trial(*(ARRAYS[name] for name in ("qf", "gf", "q_pids", "g_pids", "q_camids", "g_camids")))


@pytest.mark.parametrize("rerank", [None, Rerank()], ids=["plain", "reranked"])
@pytest.mark.parametrize("normalised", [False, True], ids=["", "normalised"])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_metrics_are_those_of_the_original(metric: str, normalised: bool, rerank: Rerank | None) -> None:
    query, gallery = ORIGINAL.query, ORIGINAL.gallery
    if normalised:
        query, gallery = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (query, gallery))
    trial = replace(ORIGINAL, query=query, gallery=gallery)
    found = evaluate_features(*trial.arguments, metric=metric, rerank=rerank, ranks=range(1, 51))
    wanted = VALUES[metric + ("_norm" if normalised else "") + ("_rerank" if rerank else "")]
    assert found.mAP == pytest.approx(wanted["mAP"], abs=1e-12)
    assert list(found.cmc.values()) == pytest.approx(wanted["cmc"], abs=1e-6)
    assert found.reranked == (rerank is not None)


def worked_case() -> Trial:
    """One number a feature, so the query at 0 sees the gallery in the order of its numbers.

    place      1      2      3      4      5      6
    number     1      2      3      4      5      6      (0.5: same person, same camera: removed; 0.1: junk)
    person     A      B      A      B      B      A
    precision  1/1           2/3                  3/6    at the three matches of query A (camera 0)

    AP by steps: (1 + 2/3 + 1/2) / 3 = 13/18. INP: 3 matches, the last at place 6: 1/2.
    AP by trapezoids: before the matches precision is 1 (by definition), 1/2 and 2/5, so
    ((1 + 1)/2 + (2/3 + 1/2)/2 + (1/2 + 2/5)/2) / 3 = (1 + 7/12 + 9/20) / 3 = 61/90.
    The second query is person C, whom nobody else shows: invalid.
    """
    numbers = [1, 2, 3, 4, 5, 6, 0.5, 0.1]
    return Trial(
        np.array([[0.0], [9.0]], np.float32),
        np.array(numbers, np.float32)[:, None],
        np.array([7, 9]),
        np.array([7, 8, 7, 8, 8, 7, 7, -1]),
        np.array([0, 0]),
        np.array([1, 0, 2, 1, 0, 1, 0, 1]),
    )


def test_a_case_worked_by_hand() -> None:
    found = evaluate_features(*worked_case().arguments, metric="euclidean", ranks=(1, 20))
    assert found.mAP == pytest.approx(13 / 18)
    assert found.mINP == pytest.approx(1 / 2)
    assert found.cmc == {1: 1.0, 20: 1.0}
    assert (found.valid_queries, found.invalid_queries, found.gallery) == (1, 1, 7)
    assert (found.ap_rule, found.metric, found.reranked) == ("step", "euclidean", False)


def test_the_trapezoid_rule_worked_by_hand() -> None:
    found = evaluate_features(*worked_case().arguments, metric="euclidean", ap_rule="trapezoid")
    assert found.mAP == pytest.approx(61 / 90)


def assert_equals_the_definition(trial: Trial, distances: np.ndarray, metric: str) -> None:
    for rule in ("step", "trapezoid"):
        first, precisions, penalties = slow_metrics(trial, distances, rule)
        found = evaluate_features(*trial.arguments, metric=metric, ap_rule=rule, ranks=(1, 3, 5, 40))
        assert found.mAP == pytest.approx(np.mean(precisions), abs=1e-12)
        assert found.mINP == pytest.approx(np.mean(penalties), abs=1e-12)
        assert found.valid_queries == len(first)
        assert found.invalid_queries == len(trial.query_ids) - len(first)
        assert found.gallery == (trial.gallery_ids >= 0).sum()
        for k, share in found.cmc.items():
            assert share == pytest.approx(np.mean([rank <= k for rank in first]))


@given(trials())
def test_metrics_follow_the_definition_with_ties_junk_and_distractors(trial: Trial) -> None:
    distances = np.array([[squared_distance(q, g) for g in trial.gallery] for q in trial.query])
    assume(slow_metrics(trial, distances)[0])
    assert_equals_the_definition(trial, distances, "euclidean")


@pytest.mark.parametrize("noise", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("group_bytes", [2**20, 5000])
def test_metrics_follow_the_definition_in_large_galleries(
    noise: float, group_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays, "GROUP_BYTES", group_bytes)
    monkeypatch.setattr(ranks, "GROUP_BYTES", group_bytes)
    trial = noisy_trial(1, queries=50, images=3000, people=40, noise=noise)
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (trial.query, trial.gallery)]
    assert_equals_the_definition(trial, 1 - np.float64(unit[0]) @ np.float64(unit[1]).T, "cosine")


@settings(max_examples=25)
@given(st.integers(0, 1000), st.integers(1, 9), st.sampled_from([None, Rerank(k1=5, k2=3)]))
def test_no_result_depends_on_the_size_of_a_block(seed: int, blocks: int, rerank: Rerank | None) -> None:
    """Whole numbers, so that sums are exact and many distances equal."""
    trial = noisy_trial(seed, queries=300, images=700, people=30, noise=2.0, dim=6)
    whole = replace(trial, query=np.round(trial.query), gallery=np.round(trial.gallery))
    before = evaluate_features(*whole.arguments, metric="euclidean", rerank=rerank)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distance, "BLOCK_ROWS", 32 * blocks)
        patch.setattr(arrays, "GROUP_BYTES", 999 * blocks)
        patch.setattr(ranks, "GROUP_BYTES", 999 * blocks)
        assert evaluate_features(*whole.arguments, metric="euclidean", rerank=rerank) == before


@given(trials(), st.randoms(use_true_random=False))
def test_the_order_of_the_gallery_changes_nothing(trial: Trial, random: object) -> None:
    assume(_is_valid(trial))
    order = list(range(len(trial.gallery)))
    random.shuffle(order)
    shuffled = replace(
        trial,
        gallery=trial.gallery[order],
        gallery_ids=trial.gallery_ids[order],
        gallery_cams=trial.gallery_cams[order],
    )
    before, after = (evaluate_features(*t.arguments, metric="euclidean") for t in (trial, shuffled))
    assert after == before


@settings(max_examples=20)
@given(st.integers(0, 1000), st.integers(-20, 20))
def test_cosine_ignores_the_length_of_features(seed: int, exponent: int) -> None:
    trial = noisy_trial(seed, queries=20, images=60, people=8, noise=1.0)
    lengths = 2.0 ** np.random.default_rng(seed).integers(-9, 9, (60, 1))
    scaled = replace(trial, query=trial.query * np.float32(2.0**exponent), gallery=trial.gallery * np.float32(lengths))
    assert evaluate_features(*scaled.arguments) == evaluate_features(*trial.arguments)


def _is_valid(trial: Trial) -> bool:
    distances = np.zeros((len(trial.query), len(trial.gallery)))
    return bool(slow_metrics(trial, distances)[0])


def test_a_model_that_answers_the_same_for_everything_scores_worst() -> None:
    trial = noisy_trial(3, queries=10, images=100, people=5, noise=1.0)
    same = replace(trial, query=np.ones_like(trial.query), gallery=np.ones_like(trial.gallery))
    assert_equals_the_definition(same, np.zeros((10, 100)), "euclidean")
    assert evaluate_features(*same.arguments, ranks=(1,)).cmc == {1: 0.0}


@pytest.mark.parametrize("rerank", [None, Rerank()], ids=["plain", "reranked"])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_a_memory_map_is_evaluated_like_an_array(kind: type, rerank: Rerank | None, tmp_path: Path) -> None:
    trial = noisy_trial(4, queries=20, images=300, people=6, noise=1.0)
    query, gallery = trial.query.astype(kind), trial.gallery.astype(kind)
    np.save(tmp_path / "gallery.npy", gallery)
    raw = np.memmap(tmp_path / "query.raw", kind, "w+", shape=query.shape)
    raw[:] = query
    mapped = replace(trial, query=raw, gallery=np.load(tmp_path / "gallery.npy", mmap_mode="r"))
    rounded = replace(trial, query=query.astype(np.float32), gallery=gallery.astype(np.float32))
    assert evaluate_features(*mapped.arguments, rerank=rerank) == evaluate_features(*rounded.arguments, rerank=rerank)


@pytest.mark.parametrize(("rerank", "copies"), [(None, 1), (Rerank(), 2)], ids=["plain", "reranked"])
def test_a_mapped_gallery_is_copied_no_more_often_than_is_said(
    rerank: Rerank | None, copies: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = noisy_trial(4, queries=8, images=4000, people=100, noise=0.3, dim=1024)
    np.save(tmp_path / "gallery.npy", trial.gallery.astype(np.float64))
    mapped = replace(trial, gallery=np.load(tmp_path / "gallery.npy", mmap_mode="r"))
    monkeypatch.setattr(distance, "BLOCK_ROWS", 32)
    tracemalloc.start()
    evaluate_features(*mapped.arguments, rerank=rerank)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < (copies + 0.9) * trial.gallery.nbytes


def test_the_distance_matrix_is_never_held() -> None:
    trial = noisy_trial(5, queries=3000, images=8000, people=300, noise=1.0)
    tracemalloc.start()
    evaluate_features(*trial.arguments)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3000 * 8000 * 4 / 3


def test_embeddings_are_evaluated_with_the_identities_and_cameras_of_their_samples() -> None:
    trial = noisy_trial(6, queries=20, images=200, people=6, noise=1.0)
    query, gallery = (
        Embeddings(vectors, tuple(Sample(Path(f"{i}.jpg"), str(i), int(a), int(b)) for i, (a, b) in enumerate(labels)))
        for vectors, labels in (
            (trial.query, zip(trial.query_ids, trial.query_cams, strict=True)),
            (trial.gallery, zip(trial.gallery_ids, trial.gallery_cams, strict=True)),
        )
    )
    assert evaluate(query, gallery, ap_rule="trapezoid") == evaluate_features(*trial.arguments, ap_rule="trapezoid")


def test_zero_vectors_are_compared_by_the_euclidean_metric() -> None:
    """0 is at squared distance 1 from the match and 4 from the other."""
    arguments = np.zeros((1, 2)), np.array([[0, 1], [2, 0]]), [1], [1, 2], [0], [1, 1]
    assert evaluate_features(*arguments, metric="euclidean").mAP == 1


def test_one_camera_for_everything_is_explained() -> None:
    trial = noisy_trial(7, queries=5, images=50, people=3, noise=1.0)
    alone = replace(trial, query_cams=np.zeros(5), gallery_cams=np.zeros(50))
    with pytest.raises(InputError, match="have the query's camera too") as caught:
        evaluate_features(*alone.arguments)
    assert "same camera number" in str(caught.value.hint)


def test_a_gallery_of_other_people_is_explained() -> None:
    trial = noisy_trial(7, queries=5, images=50, people=3, noise=1.0)
    with pytest.raises(InputError, match="no identity of the 5 queries occurs in the gallery of 50 images"):
        evaluate_features(*replace(trial, query_ids=trial.query_ids + 100).arguments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"query": np.ones((5, 3), np.float32)}, "query features have 3 numbers each, gallery features 16"),
        ({"query": np.ones((4, 16), np.float32)}, "query: 4 features for 5 identities"),
        ({"gallery_cams": np.zeros(3)}, "gallery: identities .50,. and cameras .3,. must be two equal lists"),
        ({"gallery": np.full((50, 16), np.nan, np.float32)}, "gallery features: row 0 is not finite"),
        ({"query": np.zeros((5, 2, 8), np.float32)}, "query features have shape"),
        ({"gallery": np.zeros((50, 16), np.float32)}, "gallery features: row 0 is all zeros"),
        ({"query_ids": np.zeros(4), "query_cams": np.zeros(4)}, "query: 5 features for 4 identities"),
        ({"query": np.ones((0, 16)), "query_ids": [], "query_cams": []}, "the query is empty"),
        ({"gallery": np.ones((0, 16)), "gallery_ids": [], "gallery_cams": []}, "the gallery is empty"),
        ({"gallery_ids": np.full(50, -1)}, "all 50 gallery images are junk"),
    ],
)
def test_what_does_not_fit_together_is_refused(change: dict[str, np.ndarray], message: str) -> None:
    trial = noisy_trial(7, queries=5, images=50, people=3, noise=1.0)
    with pytest.raises(InputError, match=message):
        evaluate_features(*replace(trial, **change).arguments)
