import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reidctl.config import Rerank
from reidctl.errors import ConfigError
from reidctl.retrieval import analyse, analyse_features, distance, evaluate_features
from reidctl.types import Embeddings, Sample
from tests.retrieval.oracles import Trial, noisy_trial, slow_metrics, squared_distance, trials

PROTOCOLS = ["market1501", "cuhk03", "single-shot"]
EVERYTHING = {"false_match_rates": (0.01,), "bootstrap": 100, "by_camera": True}


@pytest.mark.parametrize("spec", [None, Rerank()], ids=["plain", "reranked"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_figures_are_those_of_an_evaluation(protocol: str, spec: Rerank | None) -> None:
    trial = noisy_trial(1, queries=40, images=500, people=12, noise=2.0)
    options = {"protocol": protocol, "rerank": spec, "ap_rule": "trapezoid", "ranks": (1, 3, 50), "seed": 5}
    found = analyse_features(*trial.arguments, **options, **EVERYTHING)
    assert found.metrics == evaluate_features(*trial.arguments, **options)
    assert found.curve[[0, 2, 49]] == pytest.approx(list(found.metrics.cmc.values()))
    assert np.nanmean(found.average_precision) == pytest.approx(found.metrics.mAP)


@given(trials(), st.sampled_from([1, 2, 5]))
def test_every_query_has_its_own_figures(trial: Trial, rows: int) -> None:
    distances = np.array([[squared_distance(q, g) for g in trial.gallery] for q in trial.query])
    first, precisions, _ = slow_metrics(trial, distances)
    assume(first)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distance, "KERNEL_ROWS", rows)
        patch.setattr(distance, "BLOCK_ROWS", rows)
        found = analyse_features(*trial.arguments, metric="euclidean")
    assert found.first_ranks[found.first_ranks > 0].tolist() == first
    assert found.average_precision[found.first_ranks > 0] == pytest.approx(precisions)
    assert np.isnan(found.average_precision[found.first_ranks == 0]).all()
    images = int((trial.gallery_ids >= 0).sum())
    assert found.curve == pytest.approx([np.mean(np.array(first) <= k) for k in range(1, images + 1)])


def test_intervals_are_those_of_means_found_again_in_every_draw() -> None:
    trial = noisy_trial(2, queries=60, images=300, people=9, noise=3.0)
    unit = [np.float64(rows) / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (trial.query, trial.gallery)]
    first, precisions, penalties = slow_metrics(trial, 1 - unit[0] @ unit[1].T)
    found = analyse_features(*trial.arguments, bootstrap=300, seed=4, ranks=(1, 5))
    assert len(first) == len(trial.query_ids)
    people = np.unique(trial.query_ids)
    draws = [
        np.concatenate([np.flatnonzero(trial.query_ids == people[place]) for place in draw])
        for draw in np.random.default_rng(4).integers(0, len(people), (300, len(people)))
    ]
    values = {"rank1": np.array(first) <= 1, "rank5": np.array(first) <= 5, "mAP": precisions, "mINP": penalties}
    assert found.intervals.keys() == values.keys()
    for name, each in values.items():
        means = [np.mean(np.array(each)[draw]) for draw in draws]
        wanted = np.quantile(means, 0.025, method="lower"), np.quantile(means, 0.975, method="higher")
        assert (found.intervals[name].low, found.intervals[name].high) == pytest.approx(wanted)


def test_nothing_is_found_that_was_not_asked_for() -> None:
    found = analyse_features(*noisy_trial(1, queries=40, images=500, people=12, noise=2.0).arguments)
    assert (found.intervals, found.operating_points, found.cameras, found.camera_pairs) == ({}, (), (), None)


def test_an_analysis_is_plain_values_for_json() -> None:
    trial = noisy_trial(1, queries=40, images=500, people=12, noise=2.0)
    found = analyse_features(*trial.arguments, **EVERYTHING)
    values = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert values["rank1"] == found.metrics.cmc[1]
    assert (
        values["operating_points"][0]["threshold_interval"]["low"] == found.operating_points[0].threshold_interval.low
    )
    assert values["intervals"]["mAP"]["level"] == 0.95
    assert sum(values["pairs"]["same"]) == found.pairs.same.sum()
    assert values["cameras"][0]["queries"] == found.cameras[0].queries
    assert values["camera_pairs"]["mAP"][0][0] is None


def test_embeddings_are_analysed_with_the_identities_and_cameras_of_their_samples() -> None:
    trial = noisy_trial(6, queries=20, images=200, people=6, noise=1.0)
    query, gallery = (
        Embeddings(vectors, tuple(Sample(Path(f"{i}.jpg"), str(i), int(a), int(b)) for i, (a, b) in enumerate(labels)))
        for vectors, labels in (
            (trial.query, zip(trial.query_ids, trial.query_cams, strict=True)),
            (trial.gallery, zip(trial.gallery_ids, trial.gallery_cams, strict=True)),
        )
    )
    assert analyse(query, gallery, **EVERYTHING).as_dict() == analyse_features(*trial.arguments, **EVERYTHING).as_dict()


def test_the_distance_matrix_is_never_held() -> None:
    trial = noisy_trial(5, queries=3000, images=8000, people=30, noise=1.0)
    tracemalloc.start()
    analyse_features(*trial.arguments, **EVERYTHING)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3000 * 8000 * 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "manhattan"}, "no metric 'manhattan'"),
        ({"protocol": "market"}, "no protocol 'market'"),
        ({"ap_rule": "simpson"}, "no AP rule 'simpson'"),
        ({"ranks": (1, 0)}, "ranks .1, 0. are not whole numbers from 1 on"),
        ({"ranks": ()}, "are not whole numbers from 1 on"),
        ({"seed": -1}, "seed -1 is below 0"),
    ],
)
def test_what_there_is_not_is_refused(options: dict[str, object], message: str) -> None:
    trial = noisy_trial(7, queries=5, images=50, people=3, noise=1.0)
    for function in (evaluate_features, analyse_features):
        with pytest.raises(ConfigError, match=message):
            function(*trial.arguments, **options)
    with pytest.raises(ConfigError, match="-1 resamples"):
        analyse_features(*trial.arguments, bootstrap=-1)
