"""The quantised layers of a graph: which they are, what each costs, and how one is taken back to floating point."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from reidctl.runtimes.constants import copied, is_constant

if TYPE_CHECKING:
    from reidctl.types import Float32

PASSING = ("MaxPool", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
"""Operations that choose or arrange values, so that what was quantised stays so."""

SLIGHT = ("Multiply", "MVN", "ReduceMean")
"""Operations that compute next to nothing of what they read."""

SMALL = 2**17
"""Weights of a matrix that are fetched from memory in float32 as fast as one row is rounded to 8 bits, about."""


def quantized_layers(graph: Any) -> list[str]:
    """Names of the operations with an input of 256 levels, in the order of computation.

    Not only convolutions: in a network with gates, sums and products of maps do most of the damage.
    """
    return [op.get_friendly_name() for op in graph.get_ordered_ops() if any(_quantizer(port) for port in op.inputs())]


def best_in_float(graph: Any) -> list[str]:
    """Names of the operations that 8 bits make no faster.

    Gates, depthwise convolutions, means, products and normalisations of maps, sums of such, their maxima, which are
    fewer to round, and small matrices that an image's vector is multiplied by. They compute little of what they read, a
    depthwise convolution as many products an instruction as in float32, so that to round for them costs more than it
    saves, and accuracy on top: of a sum of four gated maps, seven times, and of the embedding itself.
    """
    found = dict.fromkeys(gates(graph))
    for op in graph.get_ordered_ops():
        kind = op.get_type_name()
        sums = kind == "Add" and all(source.get_node().get_friendly_name() in found for source in op.input_values())
        maxima = kind == "MaxPool" and _behind(op).get_friendly_name() in found
        if sums or maxima or kind in SLIGHT or is_depthwise(op) or _is_small_product(op):
            found[op.get_friendly_name()] = None
    return list(found)


def gates(graph: Any) -> list[str]:
    """Names of the operations that make gates of the means of maps, [B, C, 1, 1] at their sigmoid.

    They cost nothing, and 8 bits of what all pixels are multiplied by cost accuracy. NNCF knows a gate by the exact
    order of its layers, and not one that several maps share.
    """
    found: dict[str, None] = {}
    for sigmoid in (op for op in graph.get_ordered_ops() if op.get_type_name() == "Sigmoid"):
        weights = sigmoid.output(0).get_partial_shape()
        if weights.is_dynamic or list(weights)[2:] != [1, 1]:
            continue
        most, ahead = _elements(sigmoid.output(0)), [sigmoid]
        while ahead:
            op = ahead.pop()
            sources = op.input_values()
            # A mean is made of more values than it has: there the gate begins.
            if sources and op.get_friendly_name() not in found and all(_elements(source) <= most for source in sources):
                found[op.get_friendly_name()] = None
                ahead += [source.get_node() for source in sources]
    return list(found)


def take_back(graph: Any, plain: Any, names: Iterable[str]) -> None:
    """Give the named layers of a quantised graph, in place, the inputs and biases that they have in the plain one.

    Layers whose maps are not quantised any more, those behind a named reshape too, get their weights back as well.
    OpenVINO would compute these anew from 8 bits each time that it opens the file, and with several streams it now and
    then takes those of one layer for another's.
    """
    ops, before = _by_name(graph), _by_name(plain)
    for name in names:
        for port, exact in list(_exact_inputs(ops[name], before)):
            port.replace_source_output(exact)
    for op in ops.values():
        for port, exact in list(_exact_weights(op, before)):
            port.replace_source_output(exact)


def damage(graph: Any, plain: Any, batches: Sequence[Float32]) -> dict[str, float]:
    """How much less the embeddings' relative squared error is once a layer alone is taken back, by the layer's name.

    Not the error of one layer alone: NNCF moves a bias to make up for the layers before it, too. batches are inputs of
    the graph. One graph answers for all: each quantised input q of the exact x is made x + d · (q - x), where d is an
    entry of a further input, so that nothing is compiled anew.
    """
    from openvino import Model
    from openvino import opset13 as operations

    from reidctl.runtimes.engine import engine

    dialled, names = graph.clone(), quantized_layers(graph)
    ops, before = _by_name(dialled), _by_name(plain)
    dials = operations.parameter([len(names)], np.float32, name="dials")
    for place, name in enumerate(names):
        dial = operations.gather(dials, operations.constant([place]), operations.constant(0))
        for port, exact in list(_exact_inputs(ops[name], before)):
            shift = operations.subtract(port.get_source_output(), exact)
            port.replace_source_output(operations.add(exact, operations.multiply(dial, shift)).output(0))
    model = Model(dialled.get_results(), [*dialled.get_parameters(), dials], "dialled")
    compiled = engine().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def embeddings(on: Float32) -> Float32:
        return np.concatenate([compiled([batch, on])[0] for batch in batches])

    everywhere = np.ones(len(names), np.float32)
    exact = embeddings(0 * everywhere)
    power = float(np.square(exact).sum()) or 1.0

    def error(on: Float32) -> float:
        return float(np.square(embeddings(on) - exact).sum()) / power

    worst = error(everywhere)
    return {
        name: worst - error(everywhere - row)
        for name, row in zip(names, np.eye(len(names), dtype=np.float32), strict=True)
    }


def _exact_inputs(op: Any, before: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """The quantised inputs of a layer, and its bias, which NNCF moves to make up for them; each with the exact source.

    before: the operations of the plain graph, by name.
    """
    for port in op.inputs():
        if quantizer := _quantizer(port):
            yield port, quantizer.input_value(0)
    yield from _exact_bias(op, before)


def _exact_weights(op: Any, before: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """The weights of a layer that were quantised though its maps are not, and its bias; each with the exact source."""
    original = before.get(op.get_friendly_name())
    if original is None or any(map(_brings_quantized, op.inputs())):
        return
    for port, place in zip(op.inputs(), original.inputs(), strict=True):
        if is_constant(place) and not is_constant(port):
            yield port, copied(place)
            yield from _exact_bias(op, before)


def _exact_bias(op: Any, before: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    for taker in op.output(0).get_target_inputs():
        bias = taker.get_node()
        original = before.get(bias.get_friendly_name())
        if original is None or bias.get_type_name() != "Add":
            continue
        for port, place in zip(bias.inputs(), original.inputs(), strict=True):
            if is_constant(place):
                yield port, copied(place)


def is_depthwise(op: Any) -> bool:
    """Whether it convolves every channel on its own: weights [C, 1, 1, h, w]."""
    return op.get_type_name() == "GroupConvolution" and list(op.input_value(1).get_shape())[1:3] == [1, 1]


def _is_small_product(op: Any) -> bool:
    """Whether it multiplies [B, C], one vector an image, by a small matrix."""
    if op.get_type_name() != "MatMul" or len(op.input_value(0).get_partial_shape()) != 2:
        return False
    return _elements(op.input_value(1)) <= SMALL


def _behind(op: Any) -> Any:
    """Where the values of its input come from, but for a bias and a ReLU."""
    node = op.input_value(0).get_node()
    while node.get_type_name() == "Relu" or (node.get_type_name() == "Add" and is_constant(node.input(1))):
        node = node.input_value(0).get_node()
    return node


def _elements(output: Any) -> float:
    """How many values it has; no end of them where that is not known."""
    shape = output.get_partial_shape()
    return math.inf if shape.is_dynamic else math.prod(shape.to_shape())


def _brings_quantized(port: Any) -> bool:
    """Whether what an input takes was quantised, if only before it was reshaped."""
    node = port.get_source_output().get_node()
    while node.get_type_name() in PASSING:
        node = node.input_value(0).get_node()
    return bool(node.get_type_name() == "FakeQuantize")


def _by_name(graph: Any) -> dict[str, Any]:
    return {op.get_friendly_name(): op for op in graph.get_ordered_ops()}


def _quantizer(port: Any) -> Any:
    """The FakeQuantize that feeds an input, else None."""
    node = port.get_source_output().get_node()
    return node if node.get_type_name() == "FakeQuantize" else None
