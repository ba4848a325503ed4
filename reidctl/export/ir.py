"""ONNX files as OpenVINO IR."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from reidctl.errors import CheckFailed, ConfigError, InputError
from reidctl.export.check import open_exported, require_same
from reidctl.export.int8 import quantized, require_static
from reidctl.export.verification import verify
from reidctl.files import replacing
from reidctl.runtimes.graph import explained, image_input, read_graph, read_info, write_info
from reidctl.types import ArtefactInfo, Sample

logger = logging.getLogger(__name__)

Weights = Literal["fp32", "fp16", "int8"]
Input = Literal["bgr", "rgb", "normalized"]
Batch = Literal["dynamic"] | int

CHECKED = 64
"""Calibration images that an INT8 pair is checked on at most."""

PRECISION: dict[str, Literal["f32", "f16", "int8"]] = {"fp32": "f32", "fp16": "f16", "int8": "int8"}


def export_ir(
    onnx_path: str | Path,
    folder: str | Path | None = None,
    *,
    weights: Weights = "fp32",
    input: Input = "bgr",  # noqa: A002 - the option's name
    batch: Batch = 1,
    calibration: Sequence[Sample] = (),
) -> Path:
    """Write an ONNX file as `<its name>.xml` and `.bin` in `folder`, else beside it; returns the path of the `.xml`.

    input says what the IR takes, always [B, 3, H, W] float32: `bgr`, BGR 0…255, with channel order, mean and deviation
    inside, as Model Optimizer made it with --reverse_input_channels, --mean_values and --scale_values; `rgb`, the same
    for RGB; `normalized`, what the ONNX file takes. weights `fp16` halves the `.bin`; the arithmetic is chosen when
    the IR is opened. `int8` quantises weights and maps by NNCF on the calibration samples, some hundred images such as
    the network will see. batch is 1 as Model Optimizer's was, so that programs that read the input's shape go on
    working; `dynamic` takes any. The pair takes its names only once it gives the embeddings of the ONNX file.
    Raises InputError for a file that cannot be converted, MissingExtra for INT8 without NNCF, CheckFailed when the
    embeddings differ by more than the weights explain.
    """
    source = Path(onnx_path)
    if source.suffix.lower() != ".onnx" or not source.is_file():
        raise InputError(f"{source}: no ONNX file", "`reidctl export onnx` makes one from a checkpoint")
    _require_choice("weights", weights, tuple(PRECISION))
    _require_choice("input", input, ("bgr", "rgb", "normalized"))
    graph = read_graph(source)
    info = read_info(graph, source).info
    _set_batch(graph, source, info, batch)
    graph, info = _with_input(graph, info, input)
    info = info.model_copy(
        update={"precision": PRECISION[weights], "versions": {**info.versions, "openvino": version("openvino")}}
    )
    _fold(graph)
    if weights == "int8":
        graph = quantized(graph, info, require_static(batch), calibration)
    write_info(graph, info)
    graph.set_friendly_name(info.preset or info.model)
    target = (source.parent if folder is None else Path(folder)) / f"{source.stem}.xml"
    check = partial(_require_alike, samples=calibration) if weights == "int8" else _require_same
    _save(graph, target, source, check, half=weights == "fp16")
    logger.info("%s: takes %s, weights %s", target, input, weights)
    return target


def _require_choice(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigError(f"{what} '{value}' is none of {', '.join(known)}")


def _set_batch(graph: Any, source: Path, info: ArtefactInfo, batch: Batch) -> None:
    if batch != "dynamic" and batch < 1:
        raise ConfigError(f"batch {batch}: neither 'dynamic' nor 1 or more")
    taken = image_input(graph, source)
    if taken.batch is not None and batch != taken.batch:
        raise InputError(f"{source}: made for batches of {taken.batch}", "export the ONNX file with a free batch")
    wanted = taken._replace(batch=None if batch == "dynamic" else batch)
    with explained(f"{source}: no batch of {batch}"):
        graph.reshape({graph.inputs[0]: wanted.shape(*info.image.size)})


def _with_input(graph: Any, info: ArtefactInfo, wanted: Input) -> tuple[Any, ArtefactInfo]:
    """The graph with the conversion from what is wanted to what it takes in front, and what it then says of itself."""
    from openvino import Layout, Type
    from openvino.preprocess import ColorFormat, PrePostProcessor

    if wanted == "normalized":
        return graph, info
    if info.pixels == "raw" or info.color_order == "bgr":
        raise InputError("the ONNX file takes pixels as they are: there is nothing to put inside", "--input normalized")
    steps = PrePostProcessor(graph)
    pictures = steps.input()
    tensor = pictures.tensor().set_element_type(Type.f32).set_layout(Layout(info.layout.upper()))
    pictures.model().set_layout(Layout(info.layout.upper()))
    conversion = pictures.preprocess()
    if wanted == "bgr":
        tensor.set_color_format(ColorFormat.BGR)
        conversion.convert_color(ColorFormat.RGB)
    conversion.mean([255 * value for value in info.image.mean]).scale([255 * value for value in info.image.std])
    return steps.build(), info.model_copy(update={"pixels": "raw", "color_order": wanted})


def _fold(graph: Any) -> None:
    """Compute what depends on constants alone: half of the operations that the ONNX reader makes."""
    from openvino.passes import ConstantFolding, Manager

    passes = Manager()
    passes.register_pass(ConstantFolding())
    passes.run_passes(graph)


def _save(graph: Any, target: Path, source: Path, check: Callable[[Path, Path, Path], None], *, half: bool) -> None:
    from openvino import save_model

    # The weights take their name first: an .xml is never there without its .bin.
    with replacing(target) as xml, replacing(target.with_suffix(".bin")) as weights:
        save_model(graph, xml, compress_to_fp16=half)
        check(source, xml, target)
        os.replace(xml.with_suffix(".bin"), weights)


def _require_same(source: Path, made: Path, target: Path) -> None:
    require_same(open_exported(source), made, target)


def _require_alike(source: Path, made: Path, target: Path, samples: Sequence[Sample]) -> None:
    """The check of an INT8 pair: on images like those it was calibrated on, and where a crash does no harm."""
    found = verify(source, made, samples[:CHECKED])
    if found.error:
        raise CheckFailed(f"{target}: OpenVINO cannot run it: {found.error}", "nothing was written")
    if not found.ok and found.difference:
        raise CheckFailed(
            f"{target}: INT8 moves the embeddings too far: cosine {found.difference.cosine_min:.3f} at least, "
            f"{found.difference.cosine_mean:.3f} on average",
            "nothing was written; calibrate on more images, and such as the network will see",
        )
