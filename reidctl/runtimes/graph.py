"""IR and ONNX files as OpenVINO graphs: how they are read, what they say of themselves, what is assumed otherwise."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from reidctl.errors import InputError
from reidctl.types import ArtefactInfo, ImageSpec

logger = logging.getLogger(__name__)

FRONTENDS = {".xml": "ir", ".onnx": "onnx"}
SECTION = "model_info"
"""Where an IR's rt_info keeps our strings; those of an ONNX file arrive in `framework`."""

ASSUMED = {
    ".xml": (
        "bgr",
        "raw",
        "BGR 0…255, as after Model Optimizer with --reverse_input_channels and --mean_values",
    ),
    ".onnx": ("rgb", "normalized", "RGB with ImageNet's mean and deviation"),
}
OUTPUTS = ("reid_embedding", "descriptor")
"""Names of the embedding among several outputs: ours, and that of the Open Model Zoo's oldest networks."""


class Input(NamedTuple):
    """The shape of the one input; None for a side that the file leaves free."""

    layout: Literal["nchw", "nhwc"]
    batch: int | None
    height: int | None
    width: int | None

    def shape(self, height: int, width: int) -> list[int]:
        """The full shape for a size of image, with -1 for a free batch."""
        batch = self.batch or -1
        return [batch, 3, height, width] if self.layout == "nchw" else [batch, height, width, 3]


@contextmanager
def explained(what: str, hint: str | None = None) -> Iterator[None]:
    """Within the block, what OpenVINO raises is an InputError that begins with `what`."""
    from openvino import frontend

    readers = (frontend.GeneralFailure, frontend.InitializationFailure, frontend.NotImplementedFailure)
    operations = (frontend.OpConversionFailure, frontend.OpValidationFailure)
    try:
        yield
    except (RuntimeError, *readers, *operations) as error:
        # The lines before the last name places in OpenVINO's own source.
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise InputError(f"{what}: {lines[-1] if lines else type(error).__name__}", hint) from error


def read_graph(path: Path) -> Any:
    """An IR or ONNX file as an openvino.Model; InputError for one that is damaged or something else."""
    from openvino.frontend import FrontEndManager

    kind = FRONTENDS[path.suffix.lower()]
    if kind == "ir" and not path.with_suffix(".bin").is_file():
        raise InputError(f"{path}: its weights are missing", f"put {path.with_suffix('.bin').name} beside it")
    # Core.read_model tries every reader on a file that is no model, and TensorFlow's prints.
    frontend = FrontEndManager().load_by_framework(kind)
    name = "OpenVINO IR" if kind == "ir" else "ONNX file"
    with explained(f"{path}: no intact {name}", "it may be incomplete: copy or export it again"):
        return frontend.convert(frontend.load(str(path)))


def write_info(graph: Any, info: ArtefactInfo) -> None:
    """Put `info` into the rt_info of a graph, in place of what it said before."""
    for section in ("framework", SECTION):
        if graph.has_rt_info([section]):
            del graph.rt_info[section]
    for key, text in info.to_strings().items():
        graph.set_rt_info(text, [SECTION, key])


def read_info(graph: Any, path: Path) -> ArtefactInfo:
    """What a graph says of itself, checked against its shapes; else what its format suggests, with a warning.

    Pins an image size that the file leaves free. Raises InputError when words and shapes contradict each other, or
    when this is no network from images to embeddings.
    """
    stated, taken = _stated(graph, path), image_input(graph, path)
    image = stated.image if stated else ImageSpec(height=taken.height or 256, width=taken.width or 128)
    shape = taken.shape(*image.size)
    with explained(f"{path}: it does not take images of shape {shape}"):
        graph.reshape({graph.inputs[0]: shape})
    dim = _embedding_dim(graph, path)
    if stated is None:
        return _assumed(graph, path, taken.layout, image, dim)
    height, width = taken.height or image.height, taken.width or image.width
    says = f"{stated.layout} {image.height}x{image.width} -> {stated.embedding_dim}"
    does = f"{taken.layout} {height}x{width} -> {dim}"
    if says != does:
        hint = "it was changed after its export: export it again"
        raise InputError(f"{path}: its metadata says {says}, its graph {does}", hint)
    return stated


def image_input(graph: Any, path: Path) -> Input:
    """The one input of a graph; InputError where it takes no colour images."""
    if len(graph.inputs) != 1:
        raise InputError(f"{path}: no re-identification network: it has {len(graph.inputs)} inputs instead of one")
    shape = graph.inputs[0].partial_shape
    sides = _sides(shape)
    if len(sides) == 4 and sides[3] == 3 and sides[1] != 3:
        return Input("nhwc", sides[0], sides[1], sides[2])
    if len(sides) == 4 and sides[1] in (3, None):
        return Input("nchw", sides[0], sides[2], sides[3])
    raise InputError(f"{path}: its input {shape} is no batch of colour images [B, 3, H, W] or [B, H, W, 3]")


def embedding_output(graph: Any) -> Any:
    """The output that holds the embeddings: the one of a known name, else the first."""
    named = [output for output in graph.outputs if set(OUTPUTS) & output.names]
    return (named or graph.outputs)[0]


def _stated(graph: Any, path: Path) -> ArtefactInfo | None:
    for section in (SECTION, "framework"):
        if not graph.has_rt_info([section]):
            continue
        entries = graph.rt_info[section]
        texts = {key: entry.value for key, entry in entries.items() if isinstance(getattr(entry, "value", None), str)}
        try:
            info = ArtefactInfo.from_strings(texts)
        except ValueError as error:
            logger.warning("%s: its metadata is not ours, or damaged: %s", path, str(error).partition("\n")[0])
            continue
        if info is not None:
            return info
    return None


def _assumed(graph: Any, path: Path, layout: str, image: ImageSpec, dim: int) -> ArtefactInfo:
    color_order, pixels, words = ASSUMED[path.suffix.lower()]
    _warn_once(f"{path} says nothing of its input; taken to be {words}")
    return ArtefactInfo.model_validate(
        {
            "model": path.stem,
            "image": image,
            "color_order": color_order,
            "pixels": pixels,
            "layout": layout,
            "precision": _stored_precision(graph),
            "embedding_dim": dim,
        }
    )


@cache
def _warn_once(message: str) -> None:
    logger.warning("%s", message)


def _sides(shape: Any) -> list[int | None]:
    return [side.get_length() if side.is_static else None for side in shape] if shape.rank.is_static else []


def _embedding_dim(graph: Any, path: Path) -> int:
    shape = embedding_output(graph).partial_shape if graph.outputs else None
    sides = _sides(shape) if shape is not None else []
    if len(sides) < 2 or sides[1] is None or any(side != 1 for side in sides[2:]):
        raise InputError(f"{path}: its output {shape} is no batch of embeddings [B, D]")
    return sides[1]


def _stored_precision(graph: Any) -> str:
    operations = graph.get_ops()
    if any(op.get_type_name() == "FakeQuantize" for op in operations):
        return "int8"
    constants = [op for op in operations if op.get_type_name() == "Constant"]
    return "f16" if any(op.get_element_type().to_string() == "f16" for op in constants) else "f32"
