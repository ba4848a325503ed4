"""What stands in front of a network in an IR: from the pictures that a program has to what the network takes."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from reidctl.errors import InputError
from reidctl.export.resize import resized
from reidctl.runtimes.colours import Order, normalize, prefer
from reidctl.types import ArtefactInfo

Input = Literal["bgr", "rgb", "normalized", "u8-nhwc"]
INPUTS: tuple[Input, ...] = ("bgr", "rgb", "normalized", "u8-nhwc")


def with_input(graph: Any, info: ArtefactInfo, wanted: Input) -> tuple[Any, ArtefactInfo]:
    """The graph with the conversion from what is wanted to what it takes in front, and what it then says of itself.

    `bgr`, `rgb`: float32 0…255 in the layout of the graph; `u8-nhwc`: uint8 BGR [B, H, W, 3] of any size, resized
    inside; `normalized`: nothing stands in front. InputError where a graph that takes raw pixels is wanted normalised.
    """
    if wanted == "normalized":
        if info.pixels != "normalized":
            raise InputError("the ONNX file takes 0…255 and normalises inside", "choose --input bgr, rgb or u8-nhwc")
        return graph, info
    order: Order = "rgb" if wanted == "rgb" else "bgr"
    graph = _taking_raw(graph, info, order)
    said: dict[str, Any] = {"pixels": "raw", "color_order": order}
    if wanted == "u8-nhwc":
        graph = _taking_frames(graph, info)
        said |= {"layout": "nhwc", "resize": "inside"}
    return graph, info.model_copy(update=said)


def _taking_raw(graph: Any, info: ArtefactInfo, order: Order) -> Any:
    """The graph for float32 0…255 in this order of colours: mean, deviation and order go inside."""
    from openvino import Layout, Type
    from openvino.preprocess import ColorFormat, PrePostProcessor

    colours = {"bgr": ColorFormat.BGR, "rgb": ColorFormat.RGB}
    taken = prefer(order, graph, info)
    steps = PrePostProcessor(graph)
    pictures = steps.input()
    pictures.tensor().set_element_type(Type.f32).set_layout(Layout(info.layout.upper()))
    pictures.tensor().set_color_format(colours[order])
    pictures.model().set_layout(Layout(info.layout.upper()))
    conversion = pictures.preprocess()
    conversion.convert_color(colours[taken])
    if info.pixels == "normalized":
        normalize(conversion, info.image, taken)
    return steps.build()


def _taking_frames(graph: Any, info: ArtefactInfo) -> Any:
    """A graph for float32 pictures of one size, for uint8 [B, H, W, 3] of any."""
    from openvino import Model, PartialShape
    from openvino import opset13 as operations

    old = graph.get_parameters()[0]
    batch = old.get_partial_shape()[0]
    frames = operations.parameter(PartialShape([batch, -1, -1, 3]), np.uint8, name=old.get_friendly_name())
    names = old.output(0).get_names()
    planes = resized(operations.convert(frames, "f32"), *info.image.size)
    if info.layout == "nhwc":
        planes = operations.transpose(planes, operations.constant([0, 2, 3, 1])).output(0)
    for taker in old.output(0).get_target_inputs():
        taker.replace_source_output(planes)
    frames.output(0).set_names(names)
    return Model(graph.get_results(), [frames], graph.get_friendly_name())
