"""What an evaluation found, for people and for machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reidctl.cli.output import output

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reidctl.retrieval.analysis import Analysis
    from reidctl.retrieval.bootstrap import Interval
    from reidctl.retrieval.cameras import CameraPairs
    from reidctl.retrieval.thresholds import OperatingPoint
    from reidctl.types import Metrics

SCHEMA = "reidctl.eval/2"


def metrics_of(found: Metrics | Analysis) -> Metrics:
    """The figures that every evaluation has."""
    from reidctl.types import Metrics

    return found if isinstance(found, Metrics) else found.metrics


def document(model: str, found: Mapping[str, Metrics | Analysis]) -> dict[str, Any]:
    """What was found on each target, by name, as plain values."""
    return {"model": model, "targets": {name: each.as_dict() for name, each in found.items()}}


def show(model: str, found: Mapping[str, Metrics | Analysis], json: bool) -> None:
    """Print what was found on each target, by name."""
    if json:
        output.json(SCHEMA, document(model, found))
        return
    from reidctl.retrieval.analysis import Analysis

    _show_metrics(found)
    for name, each in found.items():
        if isinstance(each, Analysis):
            _show_details(name, each)
    for name, each in found.items():
        if invalid := metrics_of(each).invalid_queries:
            output.note(f"{name}: {invalid} queries have no match in another camera and are left out")


def _show_metrics(found: Mapping[str, Metrics | Analysis]) -> None:
    ranks = metrics_of(next(iter(found.values()))).cmc
    columns = ["data", *(f"rank-{k}" for k in ranks), "mAP", "mINP", "queries", "gallery", "distance", "AP rule"]
    rows: list[list[Any]] = []
    for name, each in found.items():
        metrics, intervals = metrics_of(each), getattr(each, "intervals", {})
        figures = {**{f"rank{k}": value for k, value in metrics.cmc.items()}, "mAP": metrics.mAP, "mINP": metrics.mINP}
        cells = [_share(value, intervals.get(figure)) for figure, value in figures.items()]
        distance = f"{metrics.metric}, re-ranked" if metrics.reranked else metrics.metric
        protocol = metrics.protocol if metrics.seed is None else f"{metrics.protocol}, seed {metrics.seed}"
        rows.append([name, *cells, metrics.valid_queries, metrics.gallery, distance, metrics.ap_rule, protocol])
    output.table([*columns, "protocol"], rows)


def _show_details(name: str, analysis: Analysis) -> None:
    from reidctl.types import camera_number

    metrics = analysis.metrics
    for point in analysis.operating_points:
        output.text(f"\n{name}: {threshold_sentence(point, metrics)}")
    if analysis.cameras:
        rows = [
            [camera_number(each.camera), each.queries, *(_share(value) for value in (each.rank1, each.mAP, each.mINP))]
            for each in analysis.cameras
        ]
        output.table(["query camera", "queries", "rank-1", "mAP", "mINP"], rows, title=f"\n{name}, by camera:")
    if analysis.camera_pairs:
        _show_camera_pairs(name, analysis.camera_pairs)
    if analysis.resamples:
        output.text(
            f"\n{name}: in brackets 95 % intervals, from {analysis.resamples} draws of the queries' people, "
            f"seed {analysis.seed}"
        )


def threshold_sentence(point: OperatingPoint, metrics: Metrics) -> str:
    """Which distance means the same person, and how often that is wrong."""
    distance = "re-ranked distance" if metrics.reranked else f"{metrics.metric} distance"
    interval = point.threshold_interval
    between = f" ({interval.low:.4f}…{interval.high:.4f})" if interval else ""
    return (
        f"two images closer than {point.threshold:.4f}{between} in {distance} show the same person: that holds for "
        f"{_share(point.tpr, point.tpr_interval)} of the pairs that do, and wrongly for {_odds(point.fpr)} that do not "
        f"(asked for: {point.wanted_fpr:g})"
    )


def _show_camera_pairs(name: str, pairs: CameraPairs) -> None:
    from reidctl.types import camera_number

    columns = ["query camera", *(f"in {camera_number(camera)}" for camera in pairs.gallery_cameras)]
    rows = [
        [
            camera_number(int(camera)),
            *(
                f"{_share(float(rank1))} / {_share(float(precision))}" if count else "–"
                for rank1, precision, count in zip(pairs.rank1[row], pairs.mAP[row], pairs.queries[row], strict=True)
            ),
        ]
        for row, camera in enumerate(pairs.query_cameras)
    ]
    output.table(columns, rows, title=f"\n{name}, rank-1 / mAP among the images of one gallery camera:")


def _share(value: float, interval: Interval | None = None) -> str:
    between = f" ({100 * interval.low:.2f}…{100 * interval.high:.2f})" if interval else ""
    return f"{value:.2%}{between}"


def _odds(rate: float) -> str:
    return f"1 in {round(1 / rate):,} pairs" if rate else "no pair"
