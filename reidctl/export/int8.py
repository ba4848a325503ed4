"""INT8 quantisation after training, by NNCF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reidctl.data.images import load_array
from reidctl.errors import ConfigError, InputError, MissingExtra
from reidctl.export.layers import best_in_float
from reidctl.export.quiet import quiet
from reidctl.types import ArtefactInfo, Sample

SUBSET = 300
"""Calibration images that are used at most; NNCF's own default, and more change little."""


@dataclass(frozen=True)
class Quantization:
    """What INT8 came to.

    layers: operations that could be quantised; floating: names of those that stay in floating
    point. metric is what the goal is about, on the data set `target`: before, of the ONNX file, and after; max_drop is
    what it may lose.
    """

    layers: int
    floating: tuple[str, ...] = ()
    target: str | None = None
    metric: str | None = None
    before: float | None = None
    after: float | None = None
    max_drop: float | None = None


def quantized(graph: Any, info: ArtefactInfo, batch: int, samples: Sequence[Sample]) -> Any:
    """The graph with 8-bit weights and maps, their ranges measured on up to 300 samples spread over those given.

    info says what the graph takes; batch is its fixed batch. Raises MissingExtra without NNCF, InputError for
    fewer samples than a batch.
    """
    images = _spread(samples)
    if len(images) < batch:
        raise InputError(f"{len(images)} calibration images fill no batch of {batch}", "give some hundred images")
    batches = [as_fed(images[start : start + batch], info) for start in range(0, len(images) - batch + 1, batch)]
    try:
        with quiet():
            import nncf
    except ImportError as error:
        raise MissingExtra("INT8 needs NNCF, which is not installed", "pip install 'reidctl[int8]'") from error
    with quiet():
        aside = nncf.IgnoredScope(names=best_in_float(graph))
        return nncf.quantize(graph, nncf.Dataset(batches), subset_size=len(batches), ignored_scope=aside)


def require_static(batch: int | str) -> int:
    """The batch, a number; ConfigError otherwise."""
    if isinstance(batch, str):
        raise ConfigError(
            "INT8 with a free batch can crash OpenVINO on CPUs with AMX, so it is made for a fixed one",
            "give the number of images, 1 for a tracker",
        )
    return batch


def as_fed(samples: Sequence[Sample], info: ArtefactInfo) -> np.ndarray:
    """The samples' pictures in the form that an artefact takes: float32 [B, 3, H, W] or [B, H, W, 3]."""
    pictures: np.ndarray = np.stack([load_array(sample, info.image) for sample in samples])
    if info.pixels == "normalized":
        pictures = (pictures / 255 - np.array(info.image.mean)) / np.array(info.image.std)
    if info.color_order == "bgr":
        pictures = pictures[..., ::-1]
    planes = pictures.transpose(0, 3, 1, 2) if info.layout == "nchw" else pictures
    return np.ascontiguousarray(planes, dtype=np.float32)


def _spread(samples: Sequence[Sample]) -> list[Sample]:
    step = max(1, -(-len(samples) // SUBSET))
    return list(samples[::step])
