"""Rounding to 8 bits without scaling, for the scale is in the weights ahead."""

from __future__ import annotations

from typing import Any

import numpy as np

from reidctl.export.layers import is_depthwise
from reidctl.runtimes.constants import is_constant, put, stored

HIGHEST = 255


def scale_ahead(graph: Any) -> None:
    """Let depthwise convolutions in floating point give 0…255 where a quantizer makes just that of them, in place.

    Weights and bias take the factor 255/h of its range 0…h, and it only rounds: f · max(0, x) = max(0, f · x). What
    comes out of it is the same.
    """
    for op in graph.get_ordered_ops():
        if op.get_type_name() != "FakeQuantize" or op.get_levels() != HIGHEST + 1:
            continue
        low, high = (_value(op.input(place)) for place in (1, 2))
        weights = _scaling(op)
        if weights and low == 0 and high:
            for port in weights:
                put(port, stored(port) * np.float32(HIGHEST / high))
            put(op.input(2), np.float32(HIGHEST))


def _scaling(op: Any) -> list[Any]:
    """The inputs for weights and bias, if constant, of a depthwise convolution whose ReLU the operation alone reads."""
    relu = _only_source(op, "Relu")
    bias = relu and _only_source(relu, "Add")
    convolution = bias and _only_source(bias, "GroupConvolution")
    if not convolution or not is_depthwise(convolution):
        return []
    ports = [convolution.input(1), bias.input(1)]
    return ports if all(is_constant(port) for port in ports) else []


def _only_source(op: Any, kind: str) -> Any:
    """What the first input comes from if it is of that kind and feeds nothing else, else None."""
    output = op.input_value(0)
    node = output.get_node()
    return node if node.get_type_name() == kind and len(output.get_target_inputs()) == 1 else None


def _value(port: Any) -> float | None:
    """The only number that an input takes; None where there are more, or it is computed."""
    return float(stored(port).item()) if is_constant(port) and stored(port).size == 1 else None
