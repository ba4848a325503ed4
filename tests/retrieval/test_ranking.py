from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given

from reidctl.config import Rerank
from reidctl.errors import ConfigError, InputError
from reidctl.retrieval import evaluate, rank_gallery
from reidctl.types import Embeddings, Sample
from tests.retrieval.oracles import Trial, noisy_trial, ranked, slow_metrics, squared_distance, trials


def embeddings(trial: Trial) -> tuple[Embeddings, Embeddings]:
    def of(vectors: np.ndarray, identities: np.ndarray, cameras: np.ndarray) -> Embeddings:
        samples = [
            Sample(Path(f"{i}.jpg"), f"{i}", int(identity), int(camera))
            for i, (identity, camera) in enumerate(zip(identities, cameras, strict=True))
        ]
        return Embeddings(vectors, tuple(samples))

    return (
        of(trial.query, trial.query_ids, trial.query_cams),
        of(trial.gallery, trial.gallery_ids, trial.gallery_cams),
    )


@given(trials())
def test_rows_list_what_the_protocol_leaves_in_order_of_distance(trial: Trial) -> None:
    assume((trial.gallery_ids >= 0).any())
    distances = np.array([[squared_distance(q, g) for g in trial.gallery] for q in trial.query])
    found = rank_gallery(*embeddings(trial), topk=4, metric="euclidean")
    for query in range(len(trial.query)):
        left = sorted((distance, image) for distance, _, image in ranked(trial, query, distances))[:4]
        count = found.gallery.shape[1]
        padding = count - len(left)
        assert list(found.gallery[query]) == [image for _, image in left] + [-1] * padding
        assert list(found.distances[query]) == [distance for distance, _ in left] + [np.inf] * padding
        same = [bool(trial.gallery_ids[image] == trial.query_ids[query]) for _, image in left]
        assert list(found.correct[query]) == same + [False] * padding


@pytest.mark.parametrize("rerank", [None, Rerank(k1=5, k2=2)])
@pytest.mark.parametrize("rule", ["step", "trapezoid"])
def test_average_precision_is_that_of_the_evaluation(rule: str, rerank: Rerank | None) -> None:
    trial = noisy_trial(1, queries=30, images=200, people=10, noise=1.0)
    trial = replace(trial, query_ids=np.append(trial.query_ids[:-1], 77))
    query, gallery = embeddings(trial)
    found = rank_gallery(query, gallery, ap_rule=rule, rerank=rerank)
    assert np.isnan(found.average_precision[-1])
    assert np.nanmean(found.average_precision) == evaluate(query, gallery, ap_rule=rule, rerank=rerank).mAP


def test_a_gallery_of_junk_is_refused() -> None:
    trial = noisy_trial(1, queries=3, images=9, people=2, noise=1.0)
    with pytest.raises(InputError, match="all 9 gallery images are junk"):
        rank_gallery(*embeddings(replace(trial, gallery_ids=np.full(9, -1))))


def test_the_worst_queries_come_first_and_invalid_ones_never() -> None:
    trial = noisy_trial(2, queries=20, images=100, people=5, noise=2.0)
    trial = replace(trial, query_ids=np.append(trial.query_ids[:-1], 77))
    ranking = rank_gallery(*embeddings(trial), metric="euclidean")
    distances = np.array([[squared_distance(q, g) for g in trial.gallery] for q in trial.query])
    lowest = sorted(slow_metrics(trial, distances)[1])[:3]
    worst = ranking.take(ranking.worst_rows(3))
    assert list(worst.average_precision) == pytest.approx(lowest)
    assert list(worst.gallery[0]) == list(ranking.gallery[worst.queries[0]])
    assert len(ranking.worst_rows(99)) == 19
    assert list(ranking.best_rows(99)) != list(ranking.worst_rows(99))
    assert sorted(ranking.best_rows(99)) == sorted(ranking.worst_rows(99))
    highest = sorted(slow_metrics(trial, distances)[1], reverse=True)[:3]
    assert list(ranking.average_precision[ranking.best_rows(3)]) == pytest.approx(highest)


def test_chosen_rows_are_taken_in_their_order() -> None:
    ranking = rank_gallery(*embeddings(noisy_trial(3, queries=6, images=40, people=3, noise=1.0)), topk=3)
    taken = ranking.take([4, 1])
    assert list(taken.queries) == [4, 1]
    assert list(taken.gallery[1]) == list(ranking.gallery[1])


def test_random_rows_are_the_same_for_the_same_seed_and_of_any_query() -> None:
    ranking = rank_gallery(*embeddings(noisy_trial(3, queries=30, images=40, people=3, noise=1.0)), topk=3)
    drawn = ranking.random_rows(7, seed=1)
    assert list(drawn) == sorted(set(drawn.tolist()))
    assert len(drawn) == 7
    assert list(drawn) == list(ranking.random_rows(7, seed=1))
    assert list(drawn) != list(ranking.random_rows(7, seed=2))
    assert list(ranking.random_rows(99, seed=0)) == list(range(30))


def test_every_camera_gives_its_worst_queries() -> None:
    ranking = rank_gallery(*embeddings(noisy_trial(4, queries=12, images=60, people=3, noise=2.0)), topk=3)
    cameras = [2, 0, 1] * 4
    rows = ranking.worst_rows_of_each(cameras, 2)
    assert [cameras[row] for row in rows] == [0, 0, 1, 1, 2, 2]
    for camera in range(3):
        own = [row for row in range(12) if cameras[row] == camera]
        expected = sorted(own, key=lambda row: ranking.average_precision[row])[:2]
        assert [row for row in rows if cameras[row] == camera] == expected


def test_what_cannot_be_ranked_is_refused_as_by_evaluate() -> None:
    query, gallery = embeddings(noisy_trial(3, queries=6, images=40, people=3, noise=1.0))
    nobody = Embeddings(np.empty((0, query.vectors.shape[1]), np.float32), ())
    blank = Embeddings(np.zeros_like(query.vectors), query.samples)
    for rank in (rank_gallery, evaluate):
        with pytest.raises(ConfigError, match="no metric 'cosin'"):
            rank(query, gallery, metric="cosin")  # type: ignore[arg-type]
        with pytest.raises(InputError, match="the query is empty"):
            rank(nobody, gallery)
        with pytest.raises(InputError, match="the gallery is empty"):
            rank(query, nobody)
        with pytest.raises(InputError, match="row 0 is all zeros"):
            rank(blank, gallery)
