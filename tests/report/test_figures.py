import re
from dataclasses import replace

import numpy as np
import pytest

from reidctl.report import TargetReport
from reidctl.report.figures import cmc_chart, distance_chart, map_chart, rate, roc_chart


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.01, "1 %"), (1e-5, "0.001 %"), (0.025, "2.5 %"), (1.0, "100 %"), (0.0, "0 %"), (1e-7, "0.00001 %")],
)
def test_rates_are_per_cent_without_exponents(value: float, text: str) -> None:
    assert rate(value) == text


def test_the_cmc_chart_tells_every_rank(report: TargetReport) -> None:
    tips = re.findall(r'data-tip="rank (\d+): (.*?)%"', cmc_chart(report.analysis))
    assert [int(rank) for rank, _ in tips] == list(range(1, len(report.analysis.curve) + 1))
    assert float(tips[0][1]) == pytest.approx(100 * report.analysis.metrics.cmc[1], abs=0.006)


def test_the_roc_chart_ends_at_one_and_marks_the_operating_points(report: TargetReport) -> None:
    chart = roc_chart(report.analysis)
    assert "false match rate 100 %: true match rate 100.00%" in chart
    assert chart.count('class="point"') == len(report.analysis.operating_points) > 0


def test_the_distances_of_both_kinds_are_all_counted(report: TargetReport) -> None:
    chart = distance_chart(report.analysis.pairs, report.analysis.operating_points, "cosine")
    for words, counts in (
        ("the same person", report.analysis.pairs.same),
        ("different people", report.analysis.pairs.different),
    ):
        told = re.findall(rf"([\d,]+) pairs of {words}", chart)
        assert sum(int(count.replace(",", "")) for count in told) == counts.sum()


def test_a_set_of_one_distance_can_be_drawn(report: TargetReport) -> None:
    pairs = report.analysis.pairs
    one = np.zeros_like(pairs.same)
    one[3] = 5
    assert "<rect" in distance_chart(replace(pairs, same=one, different=np.zeros_like(one)), (), "cosine")


def test_the_map_has_every_image(report: TargetReport) -> None:
    chart = map_chart(report.maps[0])
    assert chart.count("<circle") == len(report.maps[0].samples)
