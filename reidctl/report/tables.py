"""What an evaluation found as JSON, CSV and Markdown."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reidctl.report.figures import rate
from reidctl.types import camera_number

if TYPE_CHECKING:
    from reidctl.report.target import TargetReport
    from reidctl.retrieval.bootstrap import Interval

COLUMNS = (
    *("data", "query", "identity", "camera", "average_precision", "first_rank"),
    *("nearest", "nearest_identity", "nearest_camera", "nearest_distance", "nearest_is_match"),
)


def as_json(document: Mapping[str, Any]) -> str:
    """The document of `eval --json`, which names its schema itself."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def as_csv(tested: Sequence[TargetReport]) -> str:
    """One line a query, in the order of the data set; AP and first rank are empty for a query without a match."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    for each in tested:
        for row in range(len(each.query.samples)):
            writer.writerow(_query(each, row))
    return table.getvalue()


def _query(tested: TargetReport, row: int) -> list[object]:
    sample, ranking = tested.query.samples[row], tested.ranking
    precision = float(tested.analysis.average_precision[row])
    found: list[object] = ["", ""] if math.isnan(precision) else [precision, int(tested.analysis.first_ranks[row])]
    nearest: list[object] = [""] * 5
    position = int(ranking.gallery[row, 0])
    if position >= 0:
        first = tested.gallery.samples[position]
        facts = [float(ranking.distances[row, 0]), int(ranking.correct[row, 0])]
        nearest = [first.name, first.identity, first.camera, *facts]
    return [tested.name, sample.name, sample.identity, sample.camera, *found, *nearest]


def as_markdown(model: str, tested: Sequence[TargetReport]) -> str:
    """The figures as tables, to paste into a pull request or a note."""
    lines = [f"# Evaluation of {model}", ""]
    for each in tested:
        metrics = each.analysis.metrics
        lines += [
            f"## {each.name}",
            "",
            f"{facts(each)}.",
            "",
            *_table(["metric", "value", "interval"], _figures(each)),
        ]
        if each.analysis.operating_points:
            columns = ["false match rate", "distance below", "interval", "true match rate", "interval"]
            lines += ["", "Two images closer than this are the same person:", "", *_table(columns, _points(each))]
        if each.analysis.cameras:
            rows = [
                [
                    str(camera_number(one.camera)),
                    f"{one.queries:,}",
                    f"{one.rank1:.2%}",
                    f"{one.mAP:.2%}",
                    f"{one.mINP:.2%}",
                ]
                for one in each.analysis.cameras
            ]
            lines += ["", *_table(["camera", "queries", "rank-1", "mAP", "mINP"], rows)]
        if metrics.invalid_queries:
            lines += ["", f"{metrics.invalid_queries} queries have no match in another camera and are left out."]
        lines.append("")
    return "\n".join(lines)


def facts(tested: TargetReport) -> str:
    """What the figures were measured on, in one line."""
    metrics = tested.analysis.metrics
    distance = f"{metrics.metric} distance" + (", re-ranked" if metrics.reranked else "")
    counts = f"{metrics.valid_queries:,} queries, {metrics.gallery:,} gallery images"
    return f"{counts}, {distance}, AP rule {metrics.ap_rule}, protocol {metrics.protocol}"


def figures(tested: TargetReport) -> list[tuple[str, str, float]]:
    """(key in `Metrics.as_dict`, name for people, value) of every metric, mAP first."""
    metrics = tested.analysis.metrics
    ranks = [(f"rank{rank}", f"rank-{rank}", value) for rank, value in metrics.cmc.items()]
    return [("mAP", "mAP", metrics.mAP), *ranks, ("mINP", "mINP", metrics.mINP)]


def _figures(tested: TargetReport) -> list[list[str]]:
    intervals = tested.analysis.intervals
    return [[name, f"{value:.2%}", _between(intervals.get(key), "{:.2%}")] for key, name, value in figures(tested)]


def _points(tested: TargetReport) -> list[list[str]]:
    return [
        [
            rate(point.wanted_fpr),
            f"{point.threshold:.4f}",
            _between(point.threshold_interval, "{:.4f}"),
            f"{point.tpr:.2%}",
            _between(point.tpr_interval, "{:.2%}"),
        ]
        for point in tested.analysis.operating_points
    ]


def _between(interval: Interval | None, form: str) -> str:
    return f"{form.format(interval.low)} to {form.format(interval.high)}" if interval else ""


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    # Left where words stand, right where numbers do.
    rule = ["---", *["---:"] * (len(columns) - 1)]
    return [f"| {' | '.join(row)} |" for row in (columns, rule, *rows)]
