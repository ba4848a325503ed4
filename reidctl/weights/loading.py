"""Put the weights of a file into a network, whole or, where that is wanted, in part."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from torch import nn

from reidctl.errors import InputError, few
from reidctl.weights.matching import COUNTER, Report, Weights, match
from reidctl.weights.read import read_weights

SHOWN = 3
"""Tensors that an error names."""
STATISTICS = ("running_mean", "running_var")
WITHOUT_EPS = "MeanVarianceNormalization"
"""What group norms became in published ONNX files; it has no eps, and OpenVINO adds 1e-9 to the deviation."""


def load_weights(model: nn.Module, path: Path, *, allow_partial: bool = False) -> Report:
    """Put the weights in a file into `model`; what was loaded, skipped and missing.

    path: a checkpoint or any safetensors file, a PyTorch file of tensors, or an ONNX file whose initialisers carry the
    network's names. Raises InputError when the file cannot be read or trusted, holds NaN, fits nowhere, or, without
    allow_partial, fits in part; `model` is then as it was.
    """
    return put_weights(model, read_weights(path), allow_partial=allow_partial)


def put_weights(model: nn.Module, weights: Weights, *, allow_partial: bool = False) -> Report:
    """As `load_weights`, with a file that was read."""
    matched = match(model.state_dict(), weights)
    report = matched.report
    # Counters fit any network, and say nothing.
    if all(item.name.endswith(COUNTER) for item in report.loaded):
        _refuse_stranger(model, weights)
    if not report.complete and not allow_partial:
        _refuse_part(report)
    model.load_state_dict(matched.state, strict=False)
    return replace(report, remark=_remark(model, weights))


def _remark(model: nn.Module, weights: Weights) -> str:
    eps = max((norm.eps for norm in model.modules() if isinstance(norm, nn.GroupNorm)), default=0.0)
    if WITHOUT_EPS not in weights.operators or eps <= 1e-9:
        return ""
    return (
        f"it normalises without eps and the network with {eps:g}, as it was trained: embeddings differ a little; "
        "model.lct_eps=1e-10 gives the file's"
    )


def _refuse_stranger(model: nn.Module, weights: Weights) -> NoReturn:
    its, ours = (few(list(names), SHOWN) for names in (weights.tensors, model.state_dict()))
    raise InputError(
        f"{weights.path}: none of its {len(weights.tensors)} tensors fits the network: it has {its}; the network has "
        f"{ours}",
        "name the model or preset that the file was made for",
    )


def _refuse_part(report: Report) -> NoReturn:
    parts = [f"{len(report.loaded)} tensors fit"]
    for word, items in (("left over", report.skipped), ("missing", report.missing)):
        wrong = [item for item in items if not item.expected]
        if wrong:
            parts.append(f"{word} {len(wrong)} ({few(wrong, SHOWN)})")
    hint = "--allow-partial takes what fits; another preset or model may fit whole"
    if _is_folded(report):
        hint = "its batch norms are folded into the convolutions: give the checkpoint that it was exported from"
    raise InputError(f"{report.source} fits the network only in part: {'; '.join(parts)}", hint)


def _is_folded(report: Report) -> bool:
    """Whether an ONNX file has no statistics of batch norms where the network has some."""
    there = (*report.loaded, *report.skipped)
    statistics = [any(item.name.endswith(STATISTICS) for item in items) for items in (there, report.missing)]
    return report.kind == "ONNX" and statistics == [False, True]
