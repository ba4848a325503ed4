"""Pillow's bilinear filter as matrix products, for graphs that take pictures of any size."""

from __future__ import annotations

from typing import Any

import numpy as np


def resized(pictures: Any, height: int, width: int) -> Any:
    """The output of a graph that holds pictures [B, H, W, 3] float32 of any one size -> [B, 3, height, width].

    The same filter as `reidctl.data.images.resized`, a triangle that grows as a picture shrinks, without its rounding
    to whole levels. OpenVINO's own resizing is no alternative: its bilinear one leaves pixels out where it shrinks, and
    that in Pillow's manner takes a fraction of a second for every size that it has not seen.
    """
    from openvino import opset13 as operations

    planes = operations.transpose(pictures, _constant([0, 3, 1, 2], np.int64))
    shape = operations.shape_of(pictures)
    narrow = operations.matmul(planes, _filter(_side(shape, 2), width), False, True)
    return operations.matmul(_filter(_side(shape, 1), height), narrow, False, False).output(0)


def _filter(there: Any, wanted: int) -> Any:
    """[wanted, there]: row i weighs the pixels of a side of length `there` for pixel i of one of length `wanted`.

    A weight is 1 - |distance| / support, at least 0, with a support of one pixel of the longer side; rows sum to 1.
    """
    from openvino import opset13 as operations

    length = operations.convert(there, "f32")
    ratio = operations.divide(length, _constant(wanted))
    support = operations.maximum(ratio, _constant(1))
    centres = operations.multiply(_constant(np.arange(wanted)[:, None] + 0.5), ratio)
    places = operations.add(operations.range(_constant(0), length, _constant(1), "f32"), _constant(0.5))
    distances = operations.abs(operations.subtract(places, centres))
    weights = operations.relu(operations.subtract(_constant(1), operations.divide(distances, support)))
    return operations.divide(weights, operations.reduce_sum(weights, _constant([1], np.int64), keep_dims=True))


def _side(shape: Any, axis: int) -> Any:
    from openvino import opset13 as operations

    return operations.gather(shape, _constant(axis, np.int64), _constant(0, np.int64))


def _constant(value: Any, kind: Any = np.float32) -> Any:
    from openvino import opset13 as operations

    return operations.constant(np.asarray(value, kind))
