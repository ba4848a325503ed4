"""The order of colours that a graph takes, and its mean and deviation in that order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from reidctl.runtimes.constants import is_constant, put, stored

if TYPE_CHECKING:
    from reidctl.types import ArtefactInfo, ImageSpec

Order = Literal["rgb", "bgr"]

CHANNELS = -3
"""Axis of the channels from the end, of maps [B, C, h, w], weights [out, C, h, w], and a value a channel [C, 1, 1]."""

ARITHMETIC = ("Add", "Convert", "Divide", "FakeQuantize", "Multiply", "Subtract")


def prefer(order: Order, graph: Any, info: ArtefactInfo) -> Order:
    """The order of colours that a graph takes, after it was made to take this one where its weights allow it."""
    turned = order != info.color_order and info.layout == "nchw" and reverse_colours(graph)
    return order if turned else info.color_order


def normalize(conversion: Any, image: ImageSpec, order: Order) -> None:
    """Add to the steps before a graph what takes 0…255 in this order to mean and deviation, which are said of RGB."""
    turn = 1 if order == "rgb" else -1
    conversion.mean([255 * value for value in image.mean][::turn])
    conversion.scale([255 * value for value in image.std][::turn])


def reverse_colours(graph: Any) -> bool:
    """Make a graph of pictures [B, 3, H, W] take their channels in the reverse order; whether that could be done.

    Where only operations on single channels stand before the first convolution, its weights and their constants are
    turned round, and an order that is turned there is left as it is. That costs nothing when it runs, while engines
    take as long to turn a picture as for a layer. Embeddings differ in their last digits, because products are summed
    in another order. Where anything else stands there the graph stays as it is.
    """
    try:
        constants, turns = _found(graph.inputs[0])
    except _Elsewhere:
        return False
    for port in constants:
        put(port, np.flip(stored(port), CHANNELS))
    for turn in turns:
        turn.output(0).replace(turn.input_value(0))
    return True


class _Elsewhere(Exception):
    """Something that channels cannot be followed through."""


def _found(pictures: Any) -> tuple[list[Any], list[Any]]:
    """The inputs whose constants are in the order of the channels, and the operations that turn the channels round."""
    constants: list[Any] = []
    turns: list[Any] = []
    ahead = [pictures]
    while ahead:
        output = ahead.pop()
        for port in output.get_target_inputs():
            op, kind = port.get_node(), port.get_node().get_type_name()
            if kind == "Gather" and _is_turn(op):
                turns.append(op)
            elif kind == "Convolution" and port.get_index() == 0:
                constants += _of_channels(op.input(1))
            elif kind in ARITHMETIC or (kind == "MVN" and _is_of_single_channels(op)):
                for other in op.inputs():
                    if other.get_index() != port.get_index():
                        constants += _of_channels(other)
                ahead.append(op.output(0))
            elif kind != "ShapeOf":
                raise _Elsewhere
    return constants, turns


def _of_channels(port: Any) -> Iterator[Any]:
    """The inputs at or before this one whose constants have a value, or more, for each channel."""
    source = port.get_source_output()
    if source.get_partial_shape().rank.is_dynamic:
        raise _Elsewhere
    node, shape = source.get_node(), list(source.get_partial_shape())
    if len(shape) < -CHANNELS or shape[CHANNELS] == 1:
        return
    if is_constant(port) and list(stored(port).shape) == shape:
        yield port
    elif node.get_type_name() in ARITHMETIC and len(source.get_target_inputs()) == 1:
        for before in node.inputs():
            yield from _of_channels(before)
    else:
        raise _Elsewhere


def _is_turn(gather: Any) -> bool:
    _, indices, axis = gather.inputs()
    if not (is_constant(indices) and is_constant(axis)):
        return False
    rank = len(gather.input_value(0).get_partial_shape())
    return stored(indices).ravel().tolist() == [2, 1, 0] and int(stored(axis).item()) % rank == rank + CHANNELS


def _is_of_single_channels(mvn: Any) -> bool:
    """Whether it normalises rows and columns alone."""
    axes, rank = mvn.input(1), len(mvn.output(0).get_partial_shape())
    return is_constant(axes) and rank + CHANNELS not in {int(axis) % rank for axis in stored(axes).ravel()}
