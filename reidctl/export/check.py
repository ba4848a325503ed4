"""The check of every export before it takes its name: it must give the embeddings of what it was made from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from reidctl.errors import CheckFailed
from reidctl.export.compare import difference, tolerance_for
from reidctl.registry import runtimes
from reidctl.types import Spec

if TYPE_CHECKING:
    from reidctl.types import Embedder, UInt8

IMAGES = 4
PATCHES = (8, 4)


def open_exported(path: Path) -> Embedder:
    """An ONNX file or IR in the arithmetic of every check: f32 on the CPU."""
    opened: Embedder = runtimes.build(Spec(name="reidctl:openvino"), path=path, device="cpu", precision="f32")
    return opened


def require_same(reference: Embedder, made: Path, target: Path) -> None:
    """Raise CheckFailed unless the file `made`, which is to become `target`, embeds as `reference` does."""
    candidate = open_exported(made)
    images = random_images(IMAGES, reference.info.image.size)
    apart = difference(reference.embed_batch(images), candidate.embed_batch(images))
    allowed = tolerance_for(reference.info.precision, candidate.info.precision)
    if not apart.within(allowed):
        raise CheckFailed(
            f"{target}: what was exported is not the same network: cosine {apart.cosine_min:.6f} (allowed "
            f"{allowed.cosine_min}), relative error {apart.relative_error:.2g} (allowed {allowed.relative_error:g})",
            "nothing was written; the model has an operation that the format or OpenVINO computes differently",
        )


def random_images(count: int, size: tuple[int, int]) -> UInt8:
    """Images [count, H, W, 3] uint8 of 8×4 coloured patches, the same every time.

    Noise without patches would do less: to a network all noise looks alike.
    """
    patches = np.random.default_rng(0).integers(0, 256, (count, *PATCHES, 3), dtype=np.uint8)
    rows, columns = (np.arange(side) * parts // side for side, parts in zip(size, PATCHES, strict=True))
    return patches[:, rows[:, None], columns]
