"""IR and ONNX files as OpenVINO graphs: how they are read, and what they say of themselves."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

from reidctl.errors import InputError, nearest
from reidctl.runtimes.foreign import Foreign, describe, require_agreement, require_size
from reidctl.types import ArtefactInfo

logger = logging.getLogger(__name__)

FRONTENDS = {".xml": "ir", ".onnx": "onnx"}
SECTION = "model_info"
"""Where an IR's rt_info keeps our strings; those of an ONNX file arrive in `framework`."""

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


class Facts(NamedTuple):
    """What is known of a graph, and whether its file states it; otherwise it was said by a user, or assumed."""

    info: ArtefactInfo
    stated: bool


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


def read_graph(path: Path, extension: Path | None = None) -> Any:
    """An IR or ONNX file as an openvino.Model; InputError for one that is damaged or something else.

    extension: a library with operations that OpenVINO does not have itself.
    """
    from openvino.frontend import FrontEndManager

    kind = FRONTENDS[path.suffix.lower()]
    if kind == "ir" and not path.with_suffix(".bin").is_file():
        raise InputError(f"{path}: its weights are missing", f"put {path.with_suffix('.bin').name} beside it")
    # Core.read_model tries every reader on a file that is no model, and TensorFlow's prints.
    frontend = FrontEndManager().load_by_framework(kind)
    if extension:
        frontend.add_extension(str(extension))
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


def read_info(graph: Any, path: Path, foreign: Foreign = Foreign()) -> Facts:  # noqa: B008 - frozen
    """What a graph says of itself, checked against its shapes; else what `foreign` and its format say of it.

    Pins an image size that the file leaves free. Raises InputError when words and shapes contradict each other, or
    when this is no network from images to embeddings.
    """
    stated, taken = _stated(graph, path), image_input(graph, path)
    size = stated.image.size if stated else require_size(foreign, taken, path)
    shape = taken.shape(*size)
    with explained(f"{path}: it does not take images of shape {shape}"):
        graph.reshape({graph.inputs[0]: shape})
    dim = _embedding_dim(graph, path, foreign.output)
    if stated is None:
        pinned = taken._replace(height=size[0], width=size[1])
        return Facts(describe(foreign, pinned, _stored_precision(graph), dim, path), stated=False)
    require_agreement(foreign, stated, path)
    height, width = taken.height or size[0], taken.width or size[1]
    says = f"{stated.layout} {size[0]}x{size[1]} -> {stated.embedding_dim}"
    does = f"{taken.layout} {height}x{width} -> {dim}"
    if says != does:
        hint = "it was changed after its export: export it again"
        raise InputError(f"{path}: its metadata says {says}, its graph {does}", hint)
    return Facts(stated, stated=True)


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


def embedding_output(graph: Any, path: Path, name: str | None = None) -> Any:
    """The output that holds the embeddings: the one called `name`, else of a known name, else the only one.

    InputError where that leaves none, or several to choose from.
    """
    names = [_output_name(output, index) for index, output in enumerate(graph.outputs)]
    if name is not None:
        if name not in names:
            near = nearest(name, names)
            hint = f"did you mean '{near}'?" if near else f"it has {', '.join(names)}"
            raise InputError(f"{path} has no output '{name}'", hint)
        return graph.outputs[names.index(name)]
    known = [output for output in graph.outputs if set(OUTPUTS) & output.names]
    if known or len(names) == 1:
        return (known or graph.outputs)[0]
    raise InputError(
        f"{path} has {len(names)} outputs: which of {', '.join(names)} is the embedding?"
        if names
        else f"{path}: no re-identification network: it has no output",
        f"say it with --input output={names[0]}" if names else None,
    )


def _output_name(output: Any, index: int) -> str:
    """The name that the file gives an output, else that of the operation, else its number."""
    producer = output.get_node().input_value(0).get_node() if output.get_node().inputs() else output.get_node()
    return min(output.names) if output.names else producer.get_friendly_name() or str(index)


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


def _sides(shape: Any) -> list[int | None]:
    return [side.get_length() if side.is_static else None for side in shape] if shape.rank.is_static else []


def _embedding_dim(graph: Any, path: Path, name: str | None) -> int:
    shape = embedding_output(graph, path, name).partial_shape
    sides = _sides(shape)
    if len(sides) < 2 or sides[1] is None or any(side != 1 for side in sides[2:]):
        raise InputError(f"{path}: its output {shape} is no batch of embeddings [B, D]")
    return sides[1]


def _stored_precision(graph: Any) -> str:
    operations = graph.get_ops()
    if any(op.get_type_name() == "FakeQuantize" for op in operations):
        return "int8"
    constants = [op for op in operations if op.get_type_name() == "Constant"]
    return "f16" if any(op.get_element_type().to_string() == "f16" for op in constants) else "f32"
