"""Charts as SVG that a page holds: its colours come from the style of the page, so that they suit light and dark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from markupsafe import Markup

from reidctl.report.axes import Axis

WIDTH, HEIGHT = 460, 280
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 14, 42
DOT, HIT = 3.0, 8.0


@dataclass(frozen=True)
class Line:
    """A line through points (x, y), in the colour of a class of the style; tips are told where a pointer rests."""

    kind: str
    points: Sequence[tuple[float, float]]
    tips: Sequence[str] = ()


@dataclass(frozen=True)
class Bars:
    """Bars that touch: heights[i] stands between edges[i] and edges[i + 1]."""

    kind: str
    edges: Sequence[float]
    heights: Sequence[float]
    tips: Sequence[str]


@dataclass(frozen=True)
class Mark:
    """A value on the x axis that a line across the chart points out; with `y` a dot there, too."""

    x: float
    text: str
    tip: str
    y: float | None = None


@dataclass(frozen=True)
class Dot:
    """One of many points: of a class, and of a group whose members are shown together."""

    x: float
    y: float
    kind: str
    group: int
    tip: str


def line_chart(title: str, x: Axis, y: Axis, lines: Sequence[Line], marks: Sequence[Mark] = ()) -> Markup:
    """Lines over two axes, and marks on the x axis; `title` is what a screen reader says of it."""
    parts = [*_axes(x, y), *_marks(x, y, marks)]
    for line in lines:
        places = [_place(x, y, *point) for point in line.points]
        path = " ".join(f"{left:.1f},{top:.1f}" for left, top in places)
        parts.append(f'<polyline class="line {line.kind}" points="{path}"/>')
        parts += [
            f'<circle class="hit {line.kind}" cx="{left:.1f}" cy="{top:.1f}" r="{HIT:g}" data-tip="{escape(tip)}"/>'
            for (left, top), tip in zip(places, line.tips, strict=False)
        ]
    return _svg(title, parts)


def histogram(title: str, x: Axis, y: Axis, all_bars: Sequence[Bars], marks: Sequence[Mark] = ()) -> Markup:
    """Bars of several kinds over one another, and marks on the x axis."""
    parts = _axes(x, y)
    for bars in all_bars:
        for start, end, height, tip in zip(bars.edges, bars.edges[1:], bars.heights, bars.tips, strict=False):
            if height:
                left, top = _place(x, y, start, height)
                right, bottom = _place(x, y, end, y.low)
                parts.append(
                    f'<rect class="bar {bars.kind}" x="{left:.1f}" y="{top:.1f}" width="{right - left:.2f}" '
                    f'height="{bottom - top:.1f}" data-tip="{escape(tip)}"/>'
                )
    return _svg(title, [*parts, *_marks(x, y, marks)])


def scatter(title: str, x: Axis, y: Axis, dots: Iterable[Dot]) -> Markup:
    """Points without scales: only which are near each other means something."""
    parts = [_text("label", LEFT + _inner()[0] / 2, HEIGHT - 12, x.label), _y_label(y.label)]
    for dot in dots:
        left, top = _place(x, y, dot.x, dot.y)
        parts.append(
            f'<circle class="dot {dot.kind}" cx="{left:.1f}" cy="{top:.1f}" r="{DOT:g}" '
            f'data-group="{dot.group}" data-tip="{escape(dot.tip)}"/>'
        )
    return _svg(title, parts)


def _svg(title: str, parts: Iterable[str]) -> Markup:
    head = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
    return Markup("".join([head, *parts, "</svg>"]))


def _inner() -> tuple[float, float]:
    return WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM


def _place(x: Axis, y: Axis, across: float, up: float) -> tuple[float, float]:
    width, height = _inner()
    return LEFT + x.place(across) * width, TOP + (1 - y.place(up)) * height


def _axes(x: Axis, y: Axis) -> list[str]:
    floor, end = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = []
    for value, text in y.ticks:
        _, top = _place(x, y, x.low, value)
        parts.append(f'<path class="grid" d="M{LEFT} {top:.1f}H{end}"/>')
        parts.append(_text("tick end", LEFT - 7, top + 3.5, text))
    for value, text in x.ticks:
        left, _ = _place(x, y, value, y.low)
        parts.append(_text("tick", left, floor + 15, text))
    parts.append(f'<path class="base" d="M{LEFT} {floor}H{end}"/>')
    return [*parts, _text("label", LEFT + _inner()[0] / 2, HEIGHT - 7, x.label), _y_label(y.label)]


def _marks(x: Axis, y: Axis, marks: Sequence[Mark]) -> list[str]:
    parts = []
    for place, mark in enumerate(marks):
        left, top = _place(x, y, mark.x, y.low if mark.y is None else mark.y)
        # One below the other, for thresholds may be close together.
        row = TOP + 9 + 12 * place
        end = left > LEFT + 0.75 * _inner()[0]
        parts.append(f'<path class="mark" d="M{left:.1f} {TOP}V{HEIGHT - BOTTOM}" data-tip="{escape(mark.tip)}"/>')
        parts.append(_text("mark-text end" if end else "mark-text", left + (-4 if end else 4), row, mark.text))
        if mark.y is not None:
            parts.append(f'<circle class="point" cx="{left:.1f}" cy="{top:.1f}" r="4" data-tip="{escape(mark.tip)}"/>')
    return parts


def _y_label(label: str) -> str:
    middle = TOP + _inner()[1] / 2
    return f'<text class="label" transform="translate(11 {middle:.1f}) rotate(-90)">{escape(label)}</text>'


def _text(kind: str, left: float, top: float, text: str) -> str:
    return f'<text class="{kind}" x="{left:.1f}" y="{top:.1f}">{escape(text)}</text>'
