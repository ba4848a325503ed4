"""On a depthwise convolution before a quantizer, whose parts a case changes."""

from typing import Any

import numpy as np
import openvino
import pytest
from openvino import opset13 as operations

from reidctl.export.rounding import scale_ahead
from tests.graphs import computed

RNG = np.random.default_rng(0)
HIGH = 1.7


def rounding(low: float = 0, levels: int = 256, groups: int = 4, elsewhere: bool = False) -> openvino.Model:
    """Maps [1, 4, 6, 5] in `groups`, rectified and rounded; with `elsewhere` the network gives the exact ones, too."""
    x = operations.parameter([1, 4, 6, 5], np.float32, name="x")
    kernel = RNG.standard_normal((groups, 4 // groups, 4 // groups, 3, 3)).astype(np.float32)
    maps = operations.group_convolution(x, operations.constant(kernel), [1, 1], [1, 1], [1, 1], [1, 1])
    bias = operations.constant(RNG.standard_normal((1, 4, 1, 1)).astype(np.float32))
    exact = operations.relu(operations.add(maps, bias))
    ends = [operations.constant(np.float32(end)) for end in (low, HIGH, low, HIGH)]
    given = [operations.fake_quantize(exact, *ends, levels), *([exact] if elsewhere else [])]
    return openvino.Model([operations.result(output) for output in given], [x])


def highest(model: openvino.Model) -> float:
    """What is rounded to the highest level."""
    (quantizer,) = (op for op in model.get_ordered_ops() if op.get_type_name() == "FakeQuantize")
    return float(quantizer.input_value(2).get_node().data)


def test_what_is_rounded_comes_out_as_before() -> None:
    x, model = RNG.standard_normal((1, 4, 6, 5)).astype(np.float32), rounding()
    expected = computed(model, x)
    scale_ahead(model)
    assert highest(model) == 255
    np.testing.assert_allclose(computed(model, x), expected, atol=1e-6)
    steps = expected / HIGH * 255
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-4)
    assert len(np.unique(expected)) > 20


@pytest.mark.parametrize(
    "part", [{"low": -1}, {"levels": 16}, {"groups": 2}, {"elsewhere": True}], ids=lambda part: next(iter(part))
)
def test_what_needs_the_exact_maps_keeps_them(part: dict[str, Any]) -> None:
    model = rounding(**part)
    scale_ahead(model)
    assert highest(model) == np.float32(HIGH)
