from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reidctl.config import Rerank
from reidctl.errors import InputError
from reidctl.retrieval import analyse_features, distance
from reidctl.retrieval.reranking import distance_blocks
from reidctl.retrieval.thresholds import allowed
from tests.retrieval.oracles import Trial, noisy_trial, pair_lists, slow_threshold, squared_distance, trials


def exact_trial(seed: int, spread: int = 4) -> Trial:
    """Whole numbers, whose squared distances have no rounding; many of them are equal."""
    random = np.random.default_rng(seed)
    trial = noisy_trial(seed, queries=90, images=400, people=12, noise=1.0)
    points = random.integers(-spread, spread + 1, (13, 6))
    return replace(
        trial,
        query=points[trial.query_ids] + random.integers(-2, 3, (90, 6)),
        gallery=points[trial.gallery_ids] + random.integers(-2, 3, (400, 6)),
    )


def distances_of(trial: Trial) -> np.ndarray:
    return np.array([[squared_distance(q, g) for g in trial.gallery] for q in trial.query])


@given(trials(), st.sampled_from([0.1, 0.29, 0.5, 0.9]))
def test_thresholds_follow_the_definition_with_ties_junk_and_distractors(trial: Trial, rate: float) -> None:
    lists = pair_lists(trial, distances_of(trial))
    assume(lists)
    same, different = (np.concatenate([each[side] for each in lists]) for side in (1, 2))
    assume(len(different) * Fraction(str(rate)) >= 1)
    (point,) = analyse_features(*trial.arguments, metric="euclidean", false_match_rates=(rate,)).operating_points
    assert point.threshold == slow_threshold(different, Fraction(str(rate)))
    assert point.fpr == (different < point.threshold).mean() <= rate
    assert point.tpr == (same < point.threshold).mean()
    assert point.threshold_interval is None


@pytest.mark.parametrize("spec", [None, Rerank()], ids=["plain", "reranked"])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_thresholds_are_exact_to_the_last_bit(metric: str, spec: Rerank | None) -> None:
    trial = noisy_trial(1, queries=60, images=900, people=20, noise=1.5)
    distances = np.concatenate([b.copy() for b in distance_blocks(trial.query, trial.gallery, metric, spec)])
    lists = pair_lists(trial, distances)
    same, different = (np.concatenate([each[side] for each in lists]) for side in (1, 2))
    rates = (0.5, 0.001, 0.02)
    found = analyse_features(*trial.arguments, metric=metric, rerank=spec, false_match_rates=rates)
    assert [point.wanted_fpr for point in found.operating_points] == list(rates)
    for point in found.operating_points:
        place = int(Fraction(str(point.wanted_fpr)) * len(different))
        assert point.threshold == np.sort(different)[place]
        assert point.fpr == (different < point.threshold).mean()
        assert point.tpr == (same < point.threshold).mean()


def test_a_threshold_is_the_same_in_blocks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = exact_trial(3)
    options = {"metric": "euclidean", "false_match_rates": (0.01, 0.1), "bootstrap": 50}
    whole = analyse_features(*trial.arguments, **options)
    monkeypatch.setattr(distance, "BLOCK_ROWS", 32)
    assert analyse_features(*trial.arguments, **options).operating_points == whole.operating_points


@pytest.mark.parametrize(("seed", "rate"), [(0, 0.01), (1, 0.1), (2, 0.9)])
def test_intervals_are_those_of_thresholds_found_again_in_every_draw(seed: int, rate: float) -> None:
    """Draws of query identities, each bringing all its pairs; the middle 95 % of 200 thresholds."""
    trial = exact_trial(seed)
    lists = pair_lists(trial, distances_of(trial))
    people = sorted({identity for identity, _, _ in lists})
    drawn = np.random.default_rng(seed).integers(0, len(people), (200, len(people)))
    thresholds, shares = [], []
    for draw in drawn:
        chosen = [each for place in draw for each in lists if each[0] == people[place]]
        different = np.sort(np.concatenate([each[2] for each in chosen]))
        thresholds.append(different[int(Fraction(str(rate)) * len(different))])
        shares.append((np.concatenate([each[1] for each in chosen]) < thresholds[-1]).mean())
    options = {"metric": "euclidean", "false_match_rates": (rate,), "bootstrap": 200, "seed": seed}
    found = analyse_features(*trial.arguments, **options)
    (point,) = found.operating_points
    for interval, values in ((point.threshold_interval, thresholds), (point.tpr_interval, shares)):
        low, high = np.quantile(values, 0.025, method="lower"), np.quantile(values, 0.975, method="higher")
        assert interval.level == 0.95
        assert interval.low <= low <= high <= interval.high
    step = max(np.diff(found.pairs.edges)[0], np.ptp(np.concatenate([each[2] for each in lists])) / 1024)
    assert point.threshold_interval.low > np.quantile(thresholds, 0.025, method="lower") - 2 * step
    assert point.threshold_interval.high < np.quantile(thresholds, 0.975, method="higher") + 2 * step


def test_a_rate_is_taken_as_it_is_written() -> None:
    assert 0.29 * 100 < 29
    assert allowed(0.29, 100) == 29
    assert allowed(1e-6, 999_999) == 0


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, 3.0, float("nan")])
def test_what_is_no_rate_is_refused(rate: float) -> None:
    with pytest.raises(InputError, match="is no false match rate"):
        analyse_features(*exact_trial(0).arguments, metric="euclidean", false_match_rates=(rate,))


def test_a_rate_that_the_pairs_cannot_show_names_the_smallest_possible() -> None:
    trial = exact_trial(0)
    pairs = sum(len(each[2]) for each in pair_lists(trial, distances_of(trial)))
    with pytest.raises(InputError, match=f"1e-09 cannot be measured on {pairs:,} pairs") as caught:
        analyse_features(*trial.arguments, metric="euclidean", false_match_rates=(1e-9,))
    assert f"smallest possible is {1 / pairs:.2g}" in str(caught.value.hint)


def test_a_gallery_of_one_person_has_no_false_matches() -> None:
    trial = exact_trial(0)
    alone = replace(trial, query_ids=np.ones(90, int), gallery_ids=np.ones(400, int))
    with pytest.raises(InputError, match="no pair of different people"):
        analyse_features(*alone.arguments, metric="euclidean", false_match_rates=(0.1,))
