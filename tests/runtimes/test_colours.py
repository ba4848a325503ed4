"""Graphs built operation by operation; turned pictures into a turned graph must give what pictures gave before."""

from collections.abc import Callable
from typing import Any

import numpy as np
import openvino
import pytest
from openvino import opset13 as operations

from reidctl.runtimes.colours import reverse_colours
from tests.graphs import computed

RNG = np.random.default_rng(0)
WEIGHTS = RNG.standard_normal((5, 3, 3, 3)).astype(np.float32)
A_CHANNEL = np.float32([0.5, 2.0, 3.0]).reshape(1, 3, 1, 1)


def convolved(maps: Any, weights: Any = WEIGHTS) -> Any:
    kernel = operations.constant(weights) if isinstance(weights, np.ndarray) else weights
    return operations.convolution(maps, kernel, [1, 1], [1, 1], [1, 1], [1, 1])


def halved() -> Any:
    return operations.convert(operations.constant(WEIGHTS.astype(np.float16)), "f32")


def in_8_bits() -> Any:
    steps = operations.constant(RNG.integers(-127, 127, WEIGHTS.shape, dtype=np.int8))
    scales = operations.constant(RNG.random((5, 1, 1, 1)).astype(np.float32))
    return operations.multiply(operations.convert(steps, "f32"), scales)


def rounded(maps: Any) -> Any:
    low, high = -A_CHANNEL, A_CHANNEL
    return operations.fake_quantize(maps, *(operations.constant(end) for end in (low, high, low, high)), 16)


def normalized(maps: Any, axes: list[int]) -> Any:
    return operations.mvn(maps, operations.constant(axes), True, 1e-5, "inside_sqrt")


def turned(maps: Any, axis: int = 1) -> Any:
    return operations.gather(maps, operations.constant([2, 1, 0]), operations.constant([axis]))


def shared(maps: Any) -> Any:
    weights = halved()
    return operations.add(convolved(maps, weights), operations.relu(convolved(maps, weights)))


def in_two_ways(maps: Any) -> Any:
    return operations.add(
        convolved(operations.multiply(maps, A_CHANNEL)), convolved(operations.subtract(maps, A_CHANNEL))
    )


TURNED: dict[str, Callable[[Any], Any]] = {
    "convolution": convolved,
    "arithmetic": lambda maps: convolved(operations.divide(operations.subtract(maps, A_CHANNEL[0]), A_CHANNEL)),
    "one value for all": lambda maps: convolved(operations.multiply(maps, np.float32(3))),
    "constant first": lambda maps: convolved(operations.subtract(A_CHANNEL, maps)),
    "norm": lambda maps: convolved(operations.multiply(normalized(maps, [2, 3]), A_CHANNEL)),
    "norm from the end": lambda maps: convolved(normalized(maps, [-1, -2])),
    "levels a channel": lambda maps: convolved(rounded(maps)),
    "half weights": lambda maps: convolved(maps, halved()),
    "8 bits": lambda maps: convolved(maps, in_8_bits()),
    "an order inside": lambda maps: convolved(operations.add(turned(operations.multiply(maps, A_CHANNEL)), A_CHANNEL)),
    "in two ways": in_two_ways,
}
LEFT: dict[str, Callable[[Any], Any]] = {
    "norm of all channels": lambda maps: convolved(normalized(maps, [1, 2, 3])),
    "rows turned": lambda maps: convolved(
        operations.gather(maps, operations.constant([0, 1, 3, 2]), operations.constant(2))
    ),
    "reshape": lambda maps: convolved(operations.reshape(maps, operations.constant([1, 3, 5, 4]), False)),
    "weights of two": shared,
    "no convolution": operations.relu,
    "computed values": lambda maps: convolved(operations.add(maps, operations.multiply(maps, A_CHANNEL))),
    "computed weights": lambda maps: convolved(maps, operations.relu(operations.constant(WEIGHTS))),
}


def graph(of: Callable[[Any], Any]) -> openvino.Model:
    pictures = operations.parameter([1, 3, 4, 5], np.float32, name="pictures")
    return openvino.Model([operations.result(of(pictures))], [pictures])


@pytest.fixture
def pictures() -> np.ndarray:
    return RNG.standard_normal((1, 3, 4, 5)).astype(np.float32)


@pytest.mark.parametrize("of", TURNED.values(), ids=TURNED)
def test_turned_pictures_give_what_pictures_gave(of: Callable[[Any], Any], pictures: np.ndarray) -> None:
    model = graph(of)
    expected = computed(model, pictures)
    assert not np.allclose(computed(model, pictures[:, ::-1]), expected, atol=1e-2)
    assert reverse_colours(model)
    assert np.allclose(computed(model, np.ascontiguousarray(pictures[:, ::-1])), expected, atol=1e-4)
    assert "Gather" not in {op.get_type_name() for op in model.get_ops()}


def test_values_of_unknown_shape_stay() -> None:
    pictures = operations.parameter([1, 3, 4, 5], np.float32, name="pictures")
    unknown = operations.parameter(openvino.PartialShape.dynamic(), np.float32, name="unknown")
    model = openvino.Model([operations.result(operations.add(pictures, unknown))], [pictures, unknown])
    assert not reverse_colours(model)


@pytest.mark.parametrize("of", LEFT.values(), ids=LEFT)
def test_what_channels_cannot_be_followed_through_stays(of: Callable[[Any], Any], pictures: np.ndarray) -> None:
    model = graph(of)
    expected = computed(model, pictures)
    assert not reverse_colours(model)
    assert np.array_equal(computed(model, pictures), expected)
