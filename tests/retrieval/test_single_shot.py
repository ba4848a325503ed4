import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reidctl.retrieval import distance, evaluate_features
from tests.retrieval.oracles import (
    Trial,
    noisy_trial,
    slow_average_precision,
    slow_metrics,
    slow_single_shot,
    squared_distance,
    trials,
)

PARITY = Path(__file__).parents[1] / "parity"
WANTED = json.loads((PARITY / "evaluation.json").read_text())["results"]["cuhk03_cosine_npseed9"]
ARRAYS = np.load(PARITY / "evaluation.npz")
ORIGINAL = Trial(*(ARRAYS[name] for name in ("qf", "gf", "q_pids", "g_pids", "q_camids", "g_camids")))
RANKS = range(1, len(WANTED["cmc"]) + 1)


def curve(ranks: np.ndarray) -> np.ndarray:
    return np.array([(ranks <= k).mean() for k in RANKS])


def our_draws(trial: Trial, seed: int):
    """The rule of the docstring: a query's own numbers from seed and position, one for each identity and draw."""
    people = np.unique(trial.gallery_ids[trial.gallery_ids >= 0])
    chances: dict[int, np.ndarray] = {}

    def choose(query: int, draw: int, images: list[int]) -> int:
        if query not in chances:
            chances[query] = np.random.default_rng([seed, query]).random((10, len(people)))
        identity = trial.gallery_ids[images[0]]
        share = chances[query][draw, list(people).index(identity)]
        return sorted(images)[int(share * len(images))]

    return choose


def test_the_definition_gives_the_figures_of_the_original_with_its_draws() -> None:
    random = np.random.RandomState(9)
    ranks = slow_single_shot(ORIGINAL, ARRAYS["dist.cosine"], lambda query, draw, images: random.choice(images))
    np.testing.assert_allclose(curve(ranks), WANTED["cmc"], atol=1e-6)


@pytest.mark.parametrize("seed", [0, 9])
def test_our_draws_give_what_the_definition_gives_with_them(seed: int) -> None:
    found = evaluate_features(*ORIGINAL.arguments, protocol="cuhk03", ranks=RANKS, seed=seed)
    ranks = slow_single_shot(ORIGINAL, ARRAYS["dist.cosine"], our_draws(ORIGINAL, seed))
    np.testing.assert_allclose(list(found.cmc.values()), curve(ranks), atol=1e-12)
    assert found.mAP == pytest.approx(WANTED["mAP"], abs=1e-12)
    assert (found.protocol, found.seed) == ("cuhk03", seed)


def test_many_draws_agree_with_the_original() -> None:
    found = [evaluate_features(*ORIGINAL.arguments, protocol="cuhk03", ranks=RANKS, seed=seed) for seed in range(50)]
    mean = np.mean([list(each.cmc.values()) for each in found], axis=0)
    deviation = np.std([list(each.cmc.values()) for each in found], axis=0)
    assert (np.abs(mean - WANTED["cmc"]) <= 3 * deviation + 1e-6).all()


@given(trials(), st.integers(0, 3), st.sampled_from(["step", "trapezoid"]))
def test_galleries_of_one_image_follow_the_definition(trial: Trial, seed: int, rule: str) -> None:
    distances = np.array([[squared_distance(q, g) for g in trial.gallery] for q in trial.query])
    _, precisions, penalties = slow_metrics(trial, distances, rule)
    assume(precisions)
    ranks = slow_single_shot(trial, distances, our_draws(trial, seed))
    options = {"metric": "euclidean", "ap_rule": rule, "ranks": (1, 2, 3), "seed": seed}
    cuhk03 = evaluate_features(*trial.arguments, protocol="cuhk03", **options)
    single = evaluate_features(*trial.arguments, protocol="single-shot", **options)
    for found in (cuhk03, single):
        assert found.cmc == pytest.approx({k: (ranks <= k).mean() for k in (1, 2, 3)})
    assert (cuhk03.mAP, cuhk03.mINP) == pytest.approx((np.mean(precisions), np.mean(penalties)))
    assert single.mAP == pytest.approx(np.mean([slow_average_precision([rank], rule) for rank in ranks.reshape(-1)]))
    assert single.mINP == pytest.approx((1 / ranks).mean())


def test_draws_do_not_depend_on_blocks_or_other_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    trial = noisy_trial(2, queries=300, images=700, people=30, noise=2.0)
    exact = replace(trial, query=random.integers(-3, 4, (300, 16)), gallery=random.integers(-3, 4, (700, 16)))
    options = {"metric": "euclidean", "protocol": "single-shot", "ranks": RANKS}
    whole = evaluate_features(*exact.arguments, **options)
    monkeypatch.setattr(distance, "BLOCK_ROWS", 32)
    assert evaluate_features(*exact.arguments, **options) == whole
