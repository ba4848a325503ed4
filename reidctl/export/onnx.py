"""Checkpoints and presets as ONNX files."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from reidctl.artefacts import locate
from reidctl.errors import ConfigError, InputError
from reidctl.export.check import Exported, Told, require_same
from reidctl.export.quiet import quiet
from reidctl.export.simplify import simplified
from reidctl.files import replacing

if TYPE_CHECKING:
    from torch import nn

    from reidctl.training.checkpoint import Checkpoint
    from reidctl.types import ArtefactInfo, Sample

logger = logging.getLogger(__name__)

INPUT, OUTPUT = "data", "reid_embedding"
LEAST_OPSET = 18
VERSIONS = ("reidctl", "torch", "onnx", "onnxscript")

Batch = Literal["dynamic"] | int


def export_onnx(
    source: str | Path | Checkpoint,
    path: str | Path,
    *,
    batch: Batch = "dynamic",
    opset: int = LEAST_OPSET,
    l2_normalize: bool = False,
    raw_input: bool = False,
    samples: Sequence[Sample] = (),
    verify: bool = True,
    verbose: bool = False,
    told: Told | None = None,
) -> Path:
    """Write the network of a checkpoint, run folder or preset (random weights) as one ONNX file; returns its path.

    Input `data` [B, 3, H, W] float32, RGB divided by 255, mean and deviation, or with raw_input RGB 0…255; output
    `reid_embedding` [B, D], with l2_normalize of length 1. Only the batch is free, or fixed where `batch` is a number.
    The file says all this of itself (metadata_props). It takes its name only once OpenVINO computes from it what
    PyTorch does, on `samples` or else on drawn pedestrians, unless `verify` is false; a file that was there before
    stays until then. verbose lets the exporter of PyTorch print; told is given what was found.
    Raises InputError or ConfigError for what cannot be exported, CheckFailed when the embeddings differ.
    """
    target = onnx_path(Path(path))
    _require_opset(opset)
    if batch != "dynamic" and batch < 1:
        raise ConfigError(f"batch {batch}: neither 'dynamic' nor 1 or more")
    import torch

    from reidctl.export.deployed import Deployed
    from reidctl.training.validation import ModelEmbedder

    checkpoint = _checkpoint(source)
    info = _info(checkpoint, raw_input, l2_normalize)
    network = _fused(checkpoint.build())
    if raw_input or l2_normalize:
        network = Deployed(network, pixels=info.image if raw_input else None, unit_length=l2_normalize).eval()
    with replacing(target) as temporary:
        with quiet(verbose):
            model = _to_onnx(network, info, batch, opset, verbose)
        _describe(model, info)
        _save(model, temporary)
        found = None
        if verify:
            reference = ModelEmbedder(checkpoint.build(), checkpoint.info, torch.device("cpu"))
            found = require_same(reference, temporary, target, info.image, samples)
    logger.info("%s: %d nodes, opset %d", target, len(model.graph.node), opset)
    if told:
        told(Exported(target, found))
    return target


def _require_opset(opset: int) -> None:
    from onnx.defs import onnx_opset_version

    known = onnx_opset_version()
    if not LEAST_OPSET <= opset <= known:
        why = "PyTorch writes no older one" if opset < LEAST_OPSET else "the installed onnx knows no newer one"
        raise ConfigError(f"opset {opset}: {why}", f"choose {LEAST_OPSET} to {known}")


def onnx_path(path: Path) -> Path:
    """The file that an export to `path` writes: with `.onnx` behind another name; InputError for a folder."""
    if path.is_dir():
        raise InputError(f"{path} is a folder", f"give a file: {path / 'model.onnx'}")
    return path if path.suffix.lower() == ".onnx" else path.with_name(f"{path.name}.onnx")


def _checkpoint(source: str | Path | Checkpoint) -> Checkpoint:
    from reidctl.runtimes.network import preset_checkpoint
    from reidctl.training.checkpoint import load_checkpoint

    if not isinstance(source, str | Path):
        return source
    found = locate(source)
    if isinstance(found, str):
        logger.warning("preset %s: random weights, nothing was learned; for speed and shapes only", found)
        return preset_checkpoint(found)
    if found.suffix.lower() in (".onnx", ".xml"):
        raise InputError(f"{found}: exported already", "give a checkpoint, run folder or preset")
    return load_checkpoint(found)


def _info(checkpoint: Checkpoint, raw_input: bool, l2_normalize: bool) -> ArtefactInfo:
    from reidctl.training.checkpoint import weights_sha256

    made_with = {**checkpoint.info.versions, **{name: version(name) for name in VERSIONS}}
    return checkpoint.info.model_copy(
        update={
            "pixels": "raw" if raw_input else "normalized",
            "unit_length": l2_normalize,
            "versions": made_with,
            "weights_sha256": checkpoint.info.weights_sha256 or weights_sha256(checkpoint.state),
        }
    )


def _fused(network: nn.Module) -> nn.Module:
    from reidctl.runtimes.fusing import fuse_batch_norms

    # The exporter would do it too, later: with fewer layers to trace it takes two thirds of the time.
    fuse_batch_norms(network)
    return network


def _to_onnx(network: nn.Module, info: ArtefactInfo, batch: Batch, opset: int, verbose: bool) -> Any:
    import torch

    free = batch == "dynamic"
    # 2, because the exporter takes a size of 1 for a constant.
    images = torch.zeros(2 if free else int(batch), 3, *info.image.size)
    shapes = ({0: torch.export.Dim("batch", min=1)},) if free else None
    try:
        program = torch.onnx.export(
            network,
            (images,),
            input_names=[INPUT],
            output_names=[OUTPUT],
            opset_version=opset,
            dynamo=True,
            dynamic_shapes=shapes,
            verbose=verbose,
        )
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"model '{info.model}' cannot be exported: {reason}", "--verbose shows all of it") from error
    assert program is not None  # None is for an exporter without dynamo.
    model = program.model_proto
    # What PyTorch cannot convert to the opset that was asked for it leaves as it is, without a word.
    written = {entry.domain: entry.version for entry in model.opset_import}.get("")
    if written != opset:
        raise InputError(
            f"model '{info.model}' cannot be had in opset {opset}: PyTorch writes opset {written}",
            f"--opset {written} does",
        )
    return simplified(model)


def _describe(model: Any, info: ArtefactInfo) -> None:
    """Put `info` into the file, and take out what the exporter says of the machine it ran on."""
    import onnx

    for part in (model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, info.to_strings())


def _save(model: Any, path: Path) -> None:
    import onnx

    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
