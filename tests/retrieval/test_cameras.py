from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given

from reidctl.retrieval import analyse_features
from tests.retrieval.oracles import Trial, slow_metrics, squared_distance, trials


def part(trial: Trial, queries: np.ndarray, images: np.ndarray) -> Trial:
    return replace(
        trial,
        query=trial.query[queries],
        query_ids=trial.query_ids[queries],
        query_cams=trial.query_cams[queries],
        gallery=trial.gallery[images],
        gallery_ids=trial.gallery_ids[images],
        gallery_cams=trial.gallery_cams[images],
    )


def slow(trial: Trial, rule: str = "step") -> tuple[list[int], list[float], list[float]]:
    distances = np.array([[squared_distance(q, g) for g in trial.gallery] for q in trial.query])
    return slow_metrics(trial, distances, rule)


@given(trials())
def test_every_camera_has_the_figures_of_its_own_queries(trial: Trial) -> None:
    assume(slow(trial)[0])
    found = analyse_features(*trial.arguments, metric="euclidean", by_camera=True).cameras
    seen = []
    for camera in range(3):
        own = part(trial, trial.query_cams == camera, trial.gallery_ids >= -1)
        first, precisions, penalties = slow(own)
        if first:
            seen.append((camera, len(first), np.mean(np.array(first) == 1), np.mean(precisions), np.mean(penalties)))
    assert len(found) == len(seen)
    for each, wanted in zip(found, seen, strict=True):
        assert (each.camera, each.queries, each.rank1, each.mAP, each.mINP) == pytest.approx(wanted)


@given(trials())
def test_a_pair_of_cameras_is_an_evaluation_of_its_own(trial: Trial) -> None:
    assume(slow(trial)[0])
    pairs = analyse_features(*trial.arguments, metric="euclidean", by_camera=True, ap_rule="trapezoid").camera_pairs
    for row, one in enumerate(pairs.query_cameras):
        for column, other in enumerate(pairs.gallery_cameras):
            own = part(trial, trial.query_cams == one, trial.gallery_cams == other)
            first, precisions, _ = slow(own, "trapezoid")
            assert pairs.queries[row, column] == len(first)
            if first:
                assert pairs.rank1[row, column] == pytest.approx(np.mean(np.array(first) == 1))
                assert pairs.mAP[row, column] == pytest.approx(np.mean(precisions))
            else:
                assert np.isnan(pairs.rank1[row, column])
                assert pairs.as_dict()["mAP"][row][column] is None
