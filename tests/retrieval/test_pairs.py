import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reidctl.config import Rerank
from reidctl.errors import InputError
from reidctl.retrieval import analyse_features, rerank
from reidctl.retrieval.pairs import BINS, PairDistances
from tests.retrieval.oracles import Trial, noisy_trial, pair_lists, squared_distance, trials


@given(trials())
def test_pairs_are_counted_in_their_bins(trial: Trial) -> None:
    distances = np.array([[squared_distance(q, g) for g in trial.gallery] for q in trial.query])
    lists = pair_lists(trial, distances)
    assume(lists)
    pairs = analyse_features(*trial.arguments, metric="euclidean").pairs
    assert pairs.edges.shape == (BINS + 1,)
    for side, counts in ((1, pairs.same), (2, pairs.different)):
        values = np.concatenate([each[side] for each in lists])
        wanted = np.histogram(np.clip(values, 0, np.nextafter(pairs.edges[-1], 0)), pairs.edges)[0]
        np.testing.assert_array_equal(counts, wanted)


@pytest.mark.parametrize("spec", [None, Rerank()], ids=["plain", "reranked"])
def test_the_curve_is_that_of_all_pairs(spec: Rerank | None) -> None:
    trial = noisy_trial(1, queries=40, images=300, people=8, noise=2.0)
    blocks = rerank(trial.query, trial.gallery) if spec else None
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (trial.query, trial.gallery)]
    distances = np.concatenate([block.copy() for block in blocks]) if blocks else 1 - unit[0] @ unit[1].T
    lists = pair_lists(trial, distances)
    same, different = (np.concatenate([each[side] for each in lists]) for side in (1, 2))
    fpr, tpr = analyse_features(*trial.arguments, rerank=spec).pairs.roc()
    assert (fpr[0], tpr[0], fpr[-1], tpr[-1]) == (0, 0, 1, 1)
    # The area under the curve is the chance that a pair of one person is closer than a pair of two.
    closer = (same[:, None] < different).mean() + (same[:, None] == different).mean() / 2
    assert np.trapezoid(tpr, fpr) == pytest.approx(closer, abs=1e-4)


@given(
    st.lists(st.integers(0, 3), min_size=16, max_size=16),
    st.lists(st.integers(0, 3), min_size=16, max_size=16),
    st.integers(1, 20),
)
def test_merged_bins_hold_the_same_pairs(same: list[int], different: list[int], bins: int) -> None:
    pairs = PairDistances(np.arange(17) / 8, np.array(same), np.array(different))
    merged = pairs.merged(bins)
    assert len(merged.same) <= max(bins, 2)
    assert (merged.same.sum(), merged.different.sum()) == (sum(same), sum(different))
    assert len(set(np.diff(merged.edges))) == 1
    for low, high, count in zip(merged.edges, merged.edges[1:], merged.same, strict=False):
        assert count == pairs.same[int(low * 8) : int(high * 8)].sum()


def test_features_too_long_to_compare_are_refused() -> None:
    trial = noisy_trial(1, queries=5, images=30, people=3, noise=1.0)
    huge = (trial.query * np.float32(1e19), *trial.arguments[1:])
    with pytest.raises(InputError, match="squared distances do not fit"):
        analyse_features(*huge, metric="euclidean")
