import numpy as np
import pytest

from reidctl.report import TargetReport, analyse_in_full, examine
from tests.report.conftest import CAMERAS, PEOPLE, part


def test_the_shown_queries_are_the_worst_and_then_the_best(report: TargetReport) -> None:
    precision = report.analysis.average_precision[list(report.shown)]
    assert len(report.shown) == len(set(report.shown)) == 32
    assert list(precision) == sorted(precision)
    assert precision[0] == np.nanmin(report.analysis.average_precision)
    assert precision[-1] == np.nanmax(report.analysis.average_precision)
    assert not np.isnan(precision).any()


def test_rates_that_a_small_set_has_no_pairs_for_are_left_out(report: TargetReport) -> None:
    """36 valid queries of 12 people among 36 images, 3 of each person: 36 · 33 = 1188 pairs of different people."""
    assert [point.wanted_fpr for point in report.analysis.operating_points] == [1e-2, 1e-3]
    assert int(report.analysis.pairs.different.sum()) == PEOPLE * CAMERAS * (PEOPLE - 1) * CAMERAS


def test_the_chosen_queries_are_shown_as_chosen() -> None:
    query, gallery = part("q", 0.5, 1), part("g", 0.5, 2)
    found = examine("x", query, gallery, analyse_in_full(query, gallery), shown=[5, 2], topk=3)
    assert found.shown == (5, 2)
    assert found.ranking.gallery.shape == (PEOPLE * CAMERAS, 3)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_ap_is_that_of_the_analysis(metric: str) -> None:
    query, gallery = part("q", 0.9, 1), part("g", 0.9, 2)
    analysis = analyse_in_full(query, gallery, metric=metric, ap_rule="trapezoid")  # type: ignore[arg-type]
    found = examine("x", query, gallery, analysis)
    assert found.ranking.average_precision is analysis.average_precision
