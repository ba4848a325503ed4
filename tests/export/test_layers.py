"""On a graph of two matrix products with rough quantisers, which a few lines of numpy compute, too."""

from typing import Any

import numpy as np
import openvino
import pytest
from openvino import opset13 as operations

from reidctl.export.layers import best_in_float, damage, gates, quantized_layers, take_back
from tests.graphs import computed

RNG = np.random.default_rng(0)
FIRST, SECOND = RNG.standard_normal((4, 5)).astype(np.float32), RNG.standard_normal((5, 3)).astype(np.float32)
BIAS, MOVED = np.float32([0.5, -0.5, 1.0]), np.float32([0.75, -0.5, 1.0])
LEVELS = {"first": 32, "second": 4}


def quantize(value: Any, levels: int) -> Any:
    """To `levels` equal steps from -4 to 4."""
    return operations.fake_quantize(value, *(np.float32(end) for end in (-4, 4, -4, 4)), levels)


def rounded(value: np.ndarray, levels: int) -> np.ndarray:
    step = 8 / (levels - 1)
    return np.rint((np.clip(value, -4, 4) + 4) / step) * step - 4


def graph(rough: bool) -> openvino.Model:
    x = operations.parameter([2, 4], np.float32, name="x")
    at = (lambda value, name: quantize(value, LEVELS[name])) if rough else (lambda value, _: value)
    first = operations.matmul(at(x, "first"), at(operations.constant(FIRST), "first"), False, False)
    first.set_friendly_name("first")
    second = operations.matmul(at(first, "second"), operations.constant(SECOND), False, False)
    second.set_friendly_name("second")
    moved = operations.add(second, operations.constant(MOVED if rough else BIAS))
    moved.set_friendly_name("bias")
    return openvino.Model([operations.result(operations.relu(moved))], [x])


def expected(x: np.ndarray, *quantized: str) -> np.ndarray:
    hidden = rounded(x, 32) @ rounded(FIRST, 32) if "first" in quantized else x @ FIRST
    hidden = rounded(hidden, 4) if "second" in quantized else hidden
    return np.maximum(hidden @ SECOND + (MOVED if "second" in quantized else BIAS), 0)


@pytest.fixture
def inputs() -> np.ndarray:
    return RNG.standard_normal((2, 4)).astype(np.float32)


def test_layers_with_a_quantised_input_are_found() -> None:
    assert quantized_layers(graph(rough=True)) == ["first", "second"]
    assert quantized_layers(graph(rough=False)) == []


def named(op: Any, name: str) -> Any:
    op.set_friendly_name(name)
    return op


def test_gates_begin_behind_the_means_and_end_with_their_sigmoid() -> None:
    x = operations.parameter([2, 4, 6, 5], np.float32, name="x")
    swished = operations.multiply(x, named(operations.sigmoid(x), "swish"))
    means = [named(operations.reduce_mean(map_, operations.constant([2, 3]), True), "mean") for map_ in (x, swished)]
    together = named(operations.concat(means, 0), "concat")
    kernel = operations.constant(RNG.standard_normal((4, 4, 1, 1)).astype(np.float32))
    mixed = named(operations.convolution(together, kernel, [1, 1], [0, 0], [0, 0], [1, 1]), "convolution")
    weights = named(operations.sigmoid(mixed), "sigmoid")
    first, second = operations.split(weights, operations.constant(0), 2).outputs()
    total = operations.add(operations.multiply(x, first), operations.multiply(swished, second))
    model = openvino.Model([operations.result(total)], [x])
    assert set(gates(model)) == {"concat", "convolution", "sigmoid"}


def test_sums_stay_in_float_where_everything_in_them_does() -> None:
    maps = [operations.parameter([1, 4, 6, 5], np.float32, name=name) for name in "abcd"]
    gated = [operations.multiply(map_, operations.constant(np.float32([[[[2]]]]))) for map_ in maps]
    for name, op in zip("abcd", gated, strict=True):
        op.set_friendly_name(f"gated {name}")
    three = named(operations.add(named(operations.add(*gated[:2]), "two"), gated[2]), "three")
    biased = named(operations.add(gated[3], operations.constant(np.float32([[[[1]]]]))), "biased")
    normalized = named(operations.mvn(biased, operations.constant([2, 3]), True, 1e-5, "inside_sqrt"), "normalized")
    mixed = named(operations.add(normalized, maps[0]), "mixed")
    model = openvino.Model([operations.result(op) for op in (three, mixed)], maps)
    assert set(best_in_float(model)) == {*(f"gated {name}" for name in "abcd"), "two", "three", "normalized"}


def test_of_convolutions_those_of_single_channels_stay_in_float() -> None:
    x = operations.parameter([1, 4, 6, 5], np.float32, name="x")
    one, two = (operations.constant(np.ones(shape, np.float32)) for shape in ((4, 1, 1, 3, 3), (2, 2, 2, 3, 3)))
    around = [1, 1], [1, 1], [1, 1], [1, 1]
    depthwise = named(operations.group_convolution(x, one, *around), "depthwise")
    grouped = named(operations.group_convolution(depthwise, two, *around), "grouped")
    scaled = named(operations.multiply(grouped, depthwise), "product")
    dense = named(
        operations.convolution(scaled, operations.constant(np.ones((3, 4, 1, 1), np.float32)), *around), "dense"
    )
    mean = named(operations.reduce_mean(dense, operations.constant([2, 3]), True), "mean")
    assert set(best_in_float(openvino.Model([operations.result(mean)], [x]))) == {"depthwise", "product", "mean"}


def test_maxima_of_what_stays_in_float_are_rounded_and_not_what_they_are_of() -> None:
    x = operations.parameter([1, 4, 6, 6], np.float32, name="x")
    ahead = {
        "normalized": operations.mvn(x, operations.constant([2, 3]), True, 1e-5, "inside_sqrt"),
        "convolved": operations.convolution(
            x, operations.constant(np.ones((4, 4, 1, 1), np.float32)), [1, 1], [0, 0], [0, 0], [1, 1]
        ),
    }
    maxima = []
    for name, op in ahead.items():
        positive = operations.relu(operations.add(named(op, name), operations.constant(np.float32([[[[1]]]]))))
        pool = operations.max_pool(positive, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2])
        maxima.append(named(pool, f"maxima of {name}").output(0))
    model = openvino.Model([operations.result(port) for port in maxima], [x])
    assert set(best_in_float(model)) == {"normalized", "maxima of normalized"}


@pytest.mark.parametrize(
    ("rows", "columns", "floating"),
    [([2, 256], 512, True), ([2, 256], 513, False), ([2, 50, 256], 16, False)],
    ids=["vectors by a small matrix", "vectors by a large one", "tokens"],
)
def test_of_products_those_of_vectors_by_small_matrices_stay_in_float(
    rows: list[int], columns: int, floating: bool
) -> None:
    x = operations.parameter(rows, np.float32, name="x")
    product = operations.matmul(x, operations.constant(np.ones((256, columns), np.float32)), False, False)
    model = openvino.Model([operations.result(named(product, "product"))], [x])
    assert best_in_float(model) == (["product"] if floating else [])


@pytest.mark.parametrize("back", [[], ["first"], ["second"], ["first", "second"]])
def test_what_is_taken_back_is_as_it_was(inputs: np.ndarray, back: list[str]) -> None:
    mixed = graph(rough=True)
    take_back(mixed, graph(rough=False), back)
    left = {"first", "second"} - set(back)
    assert set(quantized_layers(mixed)) == left
    np.testing.assert_allclose(computed(mixed, inputs), expected(inputs, *left), rtol=1e-4, atol=1e-5)


def test_damage_is_the_error_that_is_gone_without_a_layer(inputs: np.ndarray) -> None:
    batches = [inputs, inputs[::-1].copy() * 2]
    found = damage(graph(rough=True), graph(rough=False), batches)
    exact = np.concatenate([expected(batch) for batch in batches])

    def error(*quantized: str) -> float:
        rough = np.concatenate([expected(batch, *quantized) for batch in batches])
        return float(np.square(rough - exact).sum() / np.square(exact).sum())

    assert found["first"] == pytest.approx(error("first", "second") - error("second"), rel=1e-3, abs=1e-6)
    assert found["second"] == pytest.approx(error("first", "second") - error("first"), rel=1e-3)
    assert found["second"] > 0


def behind_a_reshape(rough: bool) -> openvino.Model:
    """A product of maps quantised before a reshape, and of weights in 8 bits to be scaled, as NNCF leaves them."""
    x = operations.parameter([2, 2, 2], np.float32, name="x")
    flat = operations.reshape(quantize(x, 32) if rough else x, operations.constant([2, 4]), False)
    flat.set_friendly_name("flat")
    eighths = operations.convert(operations.constant(np.rint(FIRST * 8).astype(np.int8)), "f32")
    weights = operations.multiply(eighths, np.float32(1 / 8)) if rough else operations.constant(FIRST)
    product = operations.matmul(flat, weights, False, False)
    product.set_friendly_name("product")
    return openvino.Model([operations.result(operations.relu(product))], [x])


@pytest.mark.parametrize("back", [[], ["flat"]])
def test_weights_are_exact_again_where_nothing_is_quantised_before_them(inputs: np.ndarray, back: list[str]) -> None:
    mixed = behind_a_reshape(rough=True)
    take_back(mixed, behind_a_reshape(rough=False), back)
    weights = FIRST if back else np.rint(FIRST * 8) / 8
    wanted = np.maximum((inputs if back else rounded(inputs, 32)) @ weights, 0)
    np.testing.assert_allclose(computed(mixed, inputs.reshape(2, 2, 2)), wanted, rtol=1e-4, atol=1e-5)
    assert ("Convert" in {op.get_type_name() for op in mixed.get_ordered_ops()}) == (not back)
