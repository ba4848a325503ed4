from pathlib import Path

from reidctl.benchmarking.plot import draw_tradeoff, figure_of
from tests.benchmarking.engines import a_row

ROWS = [
    a_row(model="a", mAP=0.8, p50_ms=10.0, fps=100.0),
    a_row(model="a", mAP=0.8, p50_ms=40.0, fps=300.0, batch=8),
    a_row(model="a", mAP=0.7, p50_ms=5.0, fps=200.0, weights="int8"),
    a_row(model="b", mAP=0.9, p50_ms=20.0, fps=50.0),
    a_row(model="b", p50_ms=1.0, fps=900.0, engine="eager"),
    a_row(model="c", error="it broke"),
]


def points(axes_index: int) -> set[tuple[float, float]]:
    lines = figure_of(ROWS).axes[axes_index].get_lines()
    return {(float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in lines}  # type: ignore[index]


def test_each_way_is_a_point_at_its_best() -> None:
    assert points(0) == {(10.0, 0.8), (5.0, 0.7), (20.0, 0.9)}
    assert points(1) == {(300.0, 0.8), (200.0, 0.7), (50.0, 0.9)}


def test_a_model_has_a_colour_and_a_way_a_mark() -> None:
    looks = {line.get_label(): (line.get_color(), line.get_marker()) for line in figure_of(ROWS).axes[1].get_lines()}
    a, int8, b = looks["a: openvino f32"], looks["a: openvino f32, int8"], looks["b: openvino f32"]
    assert (a[0], a[1]) == (int8[0], b[1])
    assert a[1] != int8[1]
    assert a[0] != b[0]


def test_the_picture_is_a_png(tmp_path: Path) -> None:
    draw_tradeoff(ROWS, tmp_path / "new" / "plot.png")
    assert (tmp_path / "new" / "plot.png").read_bytes().startswith(b"\x89PNG")
