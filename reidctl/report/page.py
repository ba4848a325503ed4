"""The report as one HTML file that needs nothing else: its style, script, charts and pictures are inside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reidctl import __version__
from reidctl.files import write_text
from reidctl.report.figures import COLORS, cmc_chart, distance_chart, map_chart, rate, roc_chart
from reidctl.report.tables import facts, figures
from reidctl.report.thumbnails import thumbnail
from reidctl.types import Sample, camera_number

if TYPE_CHECKING:
    from reidctl.report.suspects import Pair
    from reidctl.report.target import TargetReport

HERE = Path(__file__).parent
MOST_GALLERIES = 120
"""A page with more would be slow to open: each holds eleven pictures."""

UNITS = {"cosine": "cosine", "euclidean": "squared Euclidean"}


@dataclass(frozen=True)
class Tile:
    """A picture with what stands under it; kind: query, right, wrong."""

    kind: str
    picture: str
    caption: str
    sample: Sample


def write_page(path: Path, model: str, tested: Sequence[TargetReport]) -> None:
    """Write the page of everything that one model was tested on; of more than MOST_GALLERIES galleries the first.

    InputError for an image that cannot be read.
    """
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"percent": lambda value: f"{100 * value:.1f}", "rate": rate, "number": camera_number}
    style, script = ((HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    targets = [_target(each) for each in tested]
    page = environment.get_template("page.html").render(
        title=Path(model).name, model=model, targets=targets, style=style, script=script, version=__version__
    )
    write_text(path, page)


def _target(tested: TargetReport) -> dict[str, Any]:
    """What the template says of one data set."""
    analysis = tested.analysis
    galleries = [_gallery(tested, row) for row in tested.shown[:MOST_GALLERIES]]
    maps = [(found.method, map_chart(found)) for found in tested.maps]
    cameras = sorted({sample.camera for found in tested.maps[:1] for sample in found.samples})
    return {
        "name": tested.name,
        "facts": facts(tested),
        "metrics": analysis.metrics,
        "figures": [(name, value, analysis.intervals.get(key)) for key, name, value in figures(tested)],
        "level": next((interval.level for interval in analysis.intervals.values()), None),
        "resamples": analysis.resamples,
        "points": analysis.operating_points,
        "cmc": cmc_chart(analysis),
        "roc": roc_chart(analysis),
        "distances": distance_chart(analysis.pairs, analysis.operating_points, _unit(tested)),
        "cameras": analysis.cameras,
        "matrix": _matrix(tested),
        "galleries": galleries,
        "galleries_left_out": len(tested.shown) - len(galleries),
        "near": [_pair(pair, "wrong") for pair in tested.suspects.near],
        "far": [_pair(pair, "right") for pair in tested.suspects.far],
        "suspects": tested.suspects,
        "maps": maps,
        "map_cameras": [(camera, place % COLORS) for place, camera in enumerate(cameras)],
        "map_images": len(tested.maps[0].samples) if tested.maps else 0,
        "map_people": len({sample.identity for sample in tested.maps[0].samples}) if tested.maps else 0,
    }


def _unit(tested: TargetReport) -> str:
    metrics = tested.analysis.metrics
    return UNITS[metrics.metric] + (", re-ranked" if metrics.reranked else "")


def _gallery(tested: TargetReport, row: int) -> dict[str, Any]:
    query, ranking = tested.query.samples[row], tested.ranking
    precision = float(ranking.average_precision[row])
    tiles = [Tile("query", thumbnail(query.image), "query", query)]
    for place, position in enumerate(ranking.gallery[row]):
        if position >= 0:
            sample = tested.gallery.samples[position]
            kind = "right" if ranking.correct[row, place] else "wrong"
            tiles.append(Tile(kind, thumbnail(sample.image), f"{ranking.distances[row, place]:.3f}", sample))
    first = int(tested.analysis.first_ranks[row])
    return {
        "query": query,
        "precision": None if math.isnan(precision) else precision,
        "first": first or None,
        "right": int(ranking.correct[row].sum()),
        "tiles": tiles,
    }


def _pair(pair: Pair, kind: str) -> dict[str, Any]:
    return {
        "distance": pair.distance,
        "tiles": [
            Tile(kind, thumbnail(sample.image), words, sample)
            for sample, words in ((pair.query, "query"), (pair.gallery, "gallery"))
        ],
    }


def _matrix(tested: TargetReport) -> dict[str, Any] | None:
    """Rows of cells, None where no query has a match; the shade of a value is its place between the extremes."""
    pairs = tested.analysis.camera_pairs
    if pairs is None:
        return None
    known = pairs.mAP[~np.isnan(pairs.mAP)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)

    def cell(row: int, column: int) -> dict[str, Any] | None:
        value = float(pairs.mAP[row, column])
        if math.isnan(value):
            return None
        shade = (value - low) / (high - low) if high > low else 1.0
        rank1, queries = float(pairs.rank1[row, column]), int(pairs.queries[row, column])
        return {"mAP": value, "rank1": rank1, "queries": queries, "shade": round(100 * shade)}

    columns = pairs.gallery_cameras.tolist()
    rows = [
        (camera, [cell(row, column) for column in range(len(columns))])
        for row, camera in enumerate(pairs.query_cameras.tolist())
    ]
    return {"columns": columns, "rows": rows}
