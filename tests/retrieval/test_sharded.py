from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reidctl.errors import InputError
from reidctl.retrieval import evaluate_features
from reidctl.retrieval.ranks import MatchRanks
from reidctl.retrieval.sharded import GalleryPart, QueryBlock, joined_matches, metrics_of
from reidctl.types import Embeddings, Metrics, Sample
from tests.retrieval.oracles import Trial, noisy_trial, trials


def queries_of(trial: Trial) -> Embeddings:
    labels = zip(trial.query_ids.tolist(), trial.query_cams.tolist(), strict=True)
    samples = tuple(
        Sample(image=lambda: None, name=str(row), identity=identity, camera=camera)  # type: ignore[arg-type, return-value]
        for row, (identity, camera) in enumerate(labels)
    )
    return Embeddings(trial.query, samples)


def in_parts(trial: Trial, cuts: list[int], rows: int, metric: str, twice: bool = False) -> Metrics:
    """As a cluster does it, one question after the other."""
    edges = [0, *sorted(cuts), len(trial.gallery)]
    spans = [slice(start, stop) for start, stop in pairwise(edges)]
    labelled = [(trial.gallery[span], trial.gallery_ids[span], trial.gallery_cams[span], metric) for span in spans]
    parts = [GalleryPart(*each) for each in labelled]
    found: list[MatchRanks] = []
    for block in QueryBlock.cut(queries_of(trial), rows):
        matches = joined_matches([part.matches(block) for part in parts], len(block.ids))
        if twice:  # a machine was lost between the questions, and another took over its part
            parts = [GalleryPart(*each) for each in labelled]
        wrong = sum((part.wrong_within(block, matches.thresholds) for part in parts), np.int64(0))
        found.append(matches.ranks(wrong))
    return metrics_of(found, int((trial.gallery_ids >= 0).sum()), metric=metric, ranks=range(1, 30))


@given(trials(), st.data(), st.integers(1, 4), st.booleans())
def test_parts_give_what_the_whole_gives_where_distances_are_exact(
    trial: Trial, data: st.DataObject, rows: int, twice: bool
) -> None:
    try:
        whole = evaluate_features(*trial.arguments, metric="euclidean", ranks=range(1, 30))
    except InputError:
        assume(False)
    cuts = data.draw(st.lists(st.integers(0, len(trial.gallery)), max_size=4))
    assert in_parts(trial, cuts, rows, "euclidean", twice) == whole


def test_cosines_that_are_exact_give_the_same_figures() -> None:
    # Sixteen numbers of ±1 have length 4: every product is a sixteenth, exactly, and most distances are shared by many.
    random = np.random.default_rng(0)
    trial = noisy_trial(0, queries=300, images=2000, people=40, noise=1.0)
    query, gallery = (np.sign(random.standard_normal((len(rows), 16))) for rows in (trial.query, trial.gallery))
    trial = replace(trial, query=query.astype(np.float32), gallery=gallery.astype(np.float32))
    assert in_parts(trial, [700, 701, 1500], 128, "cosine") == evaluate_features(
        *trial.arguments, metric="cosine", ranks=range(1, 30)
    )


def test_a_query_that_nobody_matches_is_an_error() -> None:
    trial = noisy_trial(0, queries=3, images=20, people=4, noise=0.1)
    with pytest.raises(InputError, match="none of the 3 queries has a match in the gallery of 20 images"):
        in_parts(replace(trial, query_ids=np.array([90, 91, 92])), [10], 2, "cosine")


def test_a_vector_of_zeros_has_no_cosine() -> None:
    labels = np.array([1, 2])
    with pytest.raises(InputError, match="row 1 is all zeros"):
        GalleryPart(np.array([[1.0, 0.0], [0.0, 0.0]], np.float32), labels, labels)
