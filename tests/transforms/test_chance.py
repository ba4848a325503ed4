import inspect

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from reidctl.transforms.chance import Color, Probability, between, color, fractions, happens, integers
from reidctl.transforms.erase import RandomErase
from reidctl.transforms.figures import RandomFigures


def test_integers_reach_both_bounds_and_no_further() -> None:
    torch.manual_seed(0)
    assert set(integers(-2, 3, 500)) == {-2, -1, 0, 1, 2, 3}
    assert integers(4, 4, 2) == [4, 4]


def test_levels_of_a_color_stay_in_a_byte() -> None:
    torch.manual_seed(0)
    levels = [level for _ in range(3000) for level in color()]
    assert (min(levels), max(levels)) == (0, 255)


def test_certain_and_impossible_events() -> None:
    assert all(happens(1.0) for _ in range(1000))
    assert not any(happens(0.0) for _ in range(1000))


def test_fractions_are_spread_over_0_to_1() -> None:
    torch.manual_seed(0)
    drawn = fractions(1000)
    assert 0 <= min(drawn) < 0.01
    assert 0.99 < max(drawn) < 1
    assert between((0.2, 0.4), 0.25) == pytest.approx(0.25)


@pytest.mark.parametrize(("kind", "value"), [(Probability, 1.5), (Probability, -0.1), (Color, (0, 0, 256))])
def test_values_out_of_range_are_refused(kind: object, value: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(value)


@pytest.mark.parametrize(("part", "key"), [(RandomErase, "area"), (RandomErase, "aspect"), (RandomFigures, "radius")])
def test_bounds_that_fall_are_refused(part: type, key: str) -> None:
    kind = TypeAdapter(inspect.signature(part).parameters[key].annotation)
    assert kind.validate_python((1, 1)) == (1, 1)
    with pytest.raises(ValidationError, match="first bound exceeds"):
        kind.validate_python((1, 0.5) if part is RandomErase else (2, 1))
