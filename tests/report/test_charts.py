from xml.etree import ElementTree

from reidctl.report.axes import linear_axis
from reidctl.report.charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Bars,
    Dot,
    Line,
    Mark,
    histogram,
    line_chart,
    scatter,
)

UNIT = linear_axis("x & y", 0, 1)


def test_a_line_runs_from_corner_to_corner() -> None:
    chart = ElementTree.fromstring(line_chart("a <b>", UNIT, UNIT, [Line("same", [(0, 0), (1, 1)], ["start", "end"])]))
    assert chart.attrib["aria-label"] == "a <b>"
    [line] = chart.findall("polyline")
    corners = f"{LEFT:.1f},{HEIGHT - BOTTOM:.1f} {WIDTH - RIGHT:.1f},{TOP:.1f}"
    assert line.attrib["points"] == corners
    assert [hit.attrib["data-tip"] for hit in chart.findall("circle")] == ["start", "end"]
    assert "x & y" in [text.text for text in chart.findall("text")]


def test_bars_stand_on_the_base_between_their_edges() -> None:
    bars = Bars("same", [0, 0.5, 1], [0.5, 0], ["half", "none"])
    chart = ElementTree.fromstring(histogram("", UNIT, UNIT, [bars], [Mark(0.5, "1 %", "a threshold")]))
    [bar] = chart.findall("rect")
    place = {name: float(bar.attrib[name]) for name in ("x", "y", "width", "height")}
    assert place["x"] == LEFT
    assert place["width"] == (WIDTH - LEFT - RIGHT) / 2
    assert place["y"] + place["height"] == HEIGHT - BOTTOM
    assert place["height"] == (HEIGHT - TOP - BOTTOM) / 2
    [mark] = [path for path in chart.findall("path") if path.attrib["class"] == "mark"]
    assert mark.attrib["d"].startswith(f"M{LEFT + place['width']:.1f} ")


def test_dots_carry_their_group() -> None:
    chart = ElementTree.fromstring(scatter("", UNIT, UNIT, [Dot(0.5, 0.5, "camera-1", 7, 'a "name"')]))
    [dot] = chart.findall("circle")
    assert (dot.attrib["data-group"], dot.attrib["data-tip"], dot.attrib["class"]) == ("7", 'a "name"', "dot camera-1")
