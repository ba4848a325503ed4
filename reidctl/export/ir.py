"""ONNX files as OpenVINO IR."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from reidctl.errors import ConfigError, InputError
from reidctl.export.accuracy import Goal, meeting
from reidctl.export.check import Exported, Told, require_same
from reidctl.export.front import INPUTS, Input, with_input
from reidctl.export.int8 import Quantization, quantized, require_static
from reidctl.export.layers import quantized_layers
from reidctl.export.negligible import drop_negligible
from reidctl.export.rounding import scale_ahead
from reidctl.export.verification import Verification
from reidctl.files import replacing
from reidctl.runtimes.graph import explained, image_input, read_graph, read_info, write_info
from reidctl.types import ArtefactInfo, Sample

logger = logging.getLogger(__name__)

Weights = Literal["fp32", "fp16", "int8"]
Batch = Literal["dynamic"] | int

CHECKED = 64
"""Images of the calibration or of the goal's test that an INT8 pair is checked on at most."""

PRECISION: dict[str, Literal["f32", "f16", "int8"]] = {"fp32": "f32", "fp16": "f16", "int8": "int8"}


def export_ir(
    onnx_path: str | Path,
    folder: str | Path | None = None,
    *,
    weights: Weights = "fp32",
    input: Input = "bgr",  # noqa: A002 - the option's name
    batch: Batch = 1,
    calibration: Sequence[Sample] = (),
    goal: Goal | None = None,
    samples: Sequence[Sample] = (),
    verify: bool = True,
    told: Told | None = None,
) -> Path:
    """Write an ONNX file as `<its name>.xml` and `.bin` in `folder`, else beside it; returns the path of the `.xml`.

    input says what the IR takes. `bgr`: [B, 3, H, W] float32, BGR 0…255, with channel order, mean and deviation inside,
    as Model Optimizer made it with --reverse_input_channels, --mean_values and --scale_values; `rgb`: the same for RGB;
    `normalized`: what the ONNX file takes; `u8-nhwc`: [B, H, W, 3] uint8, BGR frames of any size, resized inside.
    weights `fp16` halves the `.bin`; the arithmetic is chosen when the IR is opened. `int8` quantises weights and maps
    by NNCF on the calibration samples, some hundred images such as the network will see; with a goal, as few layers as
    its accuracy needs stay in floating point. batch is 1 as Model Optimizer's was, so that programs that read the
    input's shape go on working; `dynamic` takes any. The pair takes its names only once it gives the embeddings of the
    ONNX file, on `samples`, else the images that INT8 was made with, else drawn pedestrians, unless `verify` is false.
    told is given what was found.
    Raises InputError for a file that cannot be converted, or has nothing for INT8 in it, MissingExtra for INT8 without
    NNCF, CheckFailed when the embeddings differ by more than the weights explain, or the goal cannot be met.
    """
    source = Path(onnx_path)
    if source.suffix.lower() != ".onnx" or not source.is_file():
        raise InputError(f"{source}: no ONNX file", "`reidctl export onnx` makes one from a checkpoint")
    _require_choice("weights", weights, tuple(PRECISION))
    _require_choice("input", input, INPUTS)
    graph = read_graph(source)
    info = read_info(graph, source).info
    _set_batch(graph, source, info, batch)
    _fold(graph)
    drop_negligible(graph)
    info = info.model_copy(
        update={"precision": PRECISION[weights], "versions": {**info.versions, "openvino": version("openvino")}}
    )
    quantization = None
    if weights == "int8":
        # Before anything stands in front of it: the pixels' arithmetic stays in floating point.
        graph, quantization = _int8(graph, info, source, require_static(batch), calibration, goal)
        samples = samples or (goal.target.query if goal else calibration)[:CHECKED]
    graph, info = with_input(graph, info, input)
    write_info(graph, info)
    graph.set_friendly_name(info.preset or info.model)
    target = (source.parent if folder is None else Path(folder)) / f"{source.stem}.xml"
    check = partial(require_same, source, target=target, image=info.image, samples=samples) if verify else None
    found = _save(graph, target, check, half=weights == "fp16")
    logger.info("%s: takes %s, weights %s", target, input, weights)
    if told:
        told(Exported(target, found, quantization))
    return target


def _int8(
    graph: Any, info: ArtefactInfo, source: Path, batch: int, calibration: Sequence[Sample], goal: Goal | None
) -> tuple[Any, Quantization]:
    plain = graph.clone()
    graph = quantized(graph, info, batch, calibration)
    layers = quantized_layers(graph)
    if not layers:
        raise InputError(f"{source}: 8 bits make nothing in it faster", "--weights fp16 halves the file")
    if goal is None:
        scale_ahead(graph)
        return graph, Quantization(layers=len(layers))
    return meeting(goal, graph, plain, info, source, calibration)


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


def _fold(graph: Any) -> None:
    """Compute what depends on constants alone: half of the operations that the ONNX reader makes."""
    from openvino.passes import ConstantFolding, Manager

    passes = Manager()
    passes.register_pass(ConstantFolding())
    passes.run_passes(graph)


def _save(graph: Any, target: Path, check: Callable[..., Verification] | None, *, half: bool) -> Verification | None:
    from openvino import save_model

    # The weights take their name first: an .xml is never there without its .bin.
    with replacing(target) as xml, replacing(target.with_suffix(".bin")) as weights:
        free = shutil.disk_usage(xml.parent).free
        with explained(f"{target}: OpenVINO cannot write it", f"{free / 1e6:,.1f} MB are free there"):
            save_model(graph, xml, compress_to_fp16=half)
        found = check(made=xml) if check else None
        os.replace(xml.with_suffix(".bin"), weights)
    return found
