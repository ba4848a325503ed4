import pytest
from hypothesis import given
from hypothesis import strategies as st

from reidctl.report.axes import decade_axis, linear_axis


@pytest.mark.parametrize(
    ("low", "high", "percent", "texts"),
    [
        (0, 1, True, ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]),
        (0, 0.061, True, ["0 %", "2 %", "4 %", "6 %"]),
        (0.87, 1, True, ["90 %", "95 %", "100 %"]),
        (1, 50, False, ["10", "20", "30", "40", "50"]),
        (0.13, 1.9, False, ["0.5", "1.0", "1.5"]),
    ],
)
def test_round_numbers_are_marked(low: float, high: float, percent: bool, texts: list[str]) -> None:
    assert [text for _, text in linear_axis("", low, high, percent=percent).ticks] == texts


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_every_range_has_a_few_ticks_inside(low: float, width: float) -> None:
    axis = linear_axis("", low, low + width)
    assert 2 <= len(axis.ticks) <= 7
    assert all(low - 1e-6 <= value <= low + width + 1e-6 for value, _ in axis.ticks)


def test_an_empty_range_is_widened() -> None:
    assert linear_axis("", 3, 3).place(3) == 0


def test_decades_are_evenly_apart_and_told_in_per_cent() -> None:
    axis = decade_axis("", 2e-5, 1)
    assert [text for _, text in axis.ticks] == ["0.001 %", "0.01 %", "0.1 %", "1 %", "10 %", "100 %"]
    assert [round(axis.place(value), 9) for value, _ in axis.ticks] == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert axis.place(0) == 0
