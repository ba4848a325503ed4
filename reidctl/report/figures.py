"""The charts of a report."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from reidctl.report.axes import Axis, decade_axis, linear_axis
from reidctl.report.charts import Bars, Dot, Line, Mark, histogram, line_chart, scatter
from reidctl.types import camera_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reidctl.report.embedding_map import EmbeddingMap
    from reidctl.retrieval.analysis import Analysis
    from reidctl.retrieval.pairs import PairDistances
    from reidctl.retrieval.thresholds import OperatingPoint

BINS = 80
CURVE_POINTS = 150
COLORS = 8
"""Colours of cameras in the style of the page; later cameras begin anew."""


def rate(value: float) -> str:
    """A rate in per cent, with as many digits as it needs: 1 %, 0.001 %, 2.5 %."""
    return f"{float(f'{100 * value:.3g}'):.12f}".rstrip("0").rstrip(".") + " %"


def cmc_chart(analysis: Analysis) -> Markup:
    """The share of queries with a match among the first k, k up to 50."""
    curve = analysis.curve
    ranks = range(1, len(curve) + 1)
    x = linear_axis("rank k", 1, max(len(curve), 2))
    x = Axis(x.label, x.low, x.high, ((1.0, "1"), *(tick for tick in x.ticks if tick[0] > 1)))
    y = linear_axis("queries matched among the first k", max(0.0, float(curve[0]) - 0.05), 1, percent=True)
    tips = [f"rank {rank}: {value:.2%}" for rank, value in zip(ranks, curve, strict=True)]
    points = [(float(rank), float(value)) for rank, value in zip(ranks, curve, strict=True)]
    return line_chart("CMC curve", x, y, [Line("same", points, tips)])


def roc_chart(analysis: Analysis) -> Markup:
    """True over false match rate, the latter on a logarithmic scale, with the operating points."""
    false_rate, true_rate = analysis.pairs.roc()
    total = int(analysis.pairs.different.sum())
    # Large sets have pairs for less, but the labels of more decades would run into each other.
    x = decade_axis("false match rate", max(1 / max(total, 10), 1e-7), 1)
    rows = _thinned(x, false_rate, true_rate)
    points = [(float(false_rate[row]), float(true_rate[row])) for row in rows]
    tips = [f"false match rate {rate(across)}: true match rate {up:.2%}" for across, up in points]
    y = linear_axis("true match rate", 0, 1, percent=True)
    marks = [
        Mark(max(point.fpr, x.low), f"{point.tpr:.1%}", _tip(point), point.tpr) for point in analysis.operating_points
    ]
    return line_chart("ROC curve", x, y, [Line("same", points, tips)], marks)


def distance_chart(pairs: PairDistances, points: Sequence[OperatingPoint], unit: str) -> Markup:
    """How far apart the images of one person and of two are, each kind of pair as shares of its own number."""
    merged = pairs.merged(BINS)
    kinds = [("different", "different people", merged.different), ("same", "the same person", merged.same)]
    shares = [counts / max(int(counts.sum()), 1) for _, _, counts in kinds]
    x = linear_axis(f"distance ({unit})", float(merged.edges[0]), float(merged.edges[-1]))
    y = linear_axis("share of the pairs", 0, 1.08 * max(float(part.max()) for part in shares), percent=True)
    bars = []
    for (kind, words, counts), heights in zip(kinds, shares, strict=True):
        tips = [
            f"{low:.3f} to {high:.3f}: {count:,} pairs of {words}, {share:.2%}"
            for low, high, count, share in zip(merged.edges, merged.edges[1:], counts, heights, strict=False)
        ]
        bars.append(Bars(kind, merged.edges.tolist(), heights.tolist(), tips))
    marks = [Mark(point.threshold, rate(point.wanted_fpr), _tip(point)) for point in points]
    return histogram("Distances of pairs of images", x, y, bars, marks)


def map_chart(found: EmbeddingMap) -> Markup:
    """Every image a dot in the colour of its camera, those of a person a group."""
    cameras = sorted({sample.camera for sample in found.samples})
    x, y = (_around(found.points[:, side], name) for side, name in enumerate(_names(found)))
    dots = [
        Dot(
            float(left),
            float(up),
            f"camera-{cameras.index(sample.camera) % COLORS}",
            sample.identity,
            f"identity {sample.identity}, camera {camera_number(sample.camera)}: {sample.name}",
        )
        for sample, (left, up) in zip(found.samples, found.points, strict=True)
    ]
    return scatter(f"Map of embeddings, {found.method}", x, y, dots)


def _names(found: EmbeddingMap) -> tuple[str, str]:
    if found.kept is None:
        return f"{found.method} 1", f"{found.method} 2"
    return f"component 1 (both keep {found.kept:.0%} of the variance)", "component 2"


def _around(values: np.ndarray[tuple[int], np.dtype[np.float64]], label: str) -> Axis:
    low, high = float(values.min()), float(values.max())
    space = 0.03 * (high - low) or 1.0
    return Axis(label, low - space, high + space, ())


def _thinned(
    x: Axis,
    false_rate: np.ndarray[tuple[int], np.dtype[np.float64]],
    true_rate: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> list[int]:
    """Rows that are far enough apart to be told apart on the chart, and the last at or before its left end."""
    start = max(0, int(np.searchsorted(false_rate, x.low, "right")) - 1)
    rows, last = [start], (x.place(float(false_rate[start])), float(true_rate[start]))
    for row in range(start + 1, len(false_rate)):
        here = x.place(float(false_rate[row])), float(true_rate[row])
        if math.dist(here, last) >= 1 / CURVE_POINTS or row == len(false_rate) - 1:
            rows.append(row)
            last = here
    return rows


def _tip(point: OperatingPoint) -> str:
    return f"closer than {point.threshold:.4f}: false match rate {rate(point.fpr)}, true match rate {point.tpr:.2%}"
