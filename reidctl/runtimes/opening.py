"""One door to every artefact: pick the runtime that opens it, and embed pictures or files with it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reidctl.artefacts import locate, runtime_for
from reidctl.errors import InputError, PluginError
from reidctl.registry import runtimes
from reidctl.runtimes.isolated import IsolatedRuntime
from reidctl.runtimes.streaming import embed_stream
from reidctl.types import ArtefactInfo, Embedder, Sample, Spec

if TYPE_CHECKING:
    from reidctl.config import RunConfig
    from reidctl.types import Float32, UInt8

logger = logging.getLogger(__name__)

CHUNK = 32
"""Images a batch for runtimes that do not say what they are best at: those that compute one batch at a time."""


class ImageEmbedder:
    """An opened artefact.

    source: what was opened, in the user's words; runtime: what computes; config: that of the training run where
    the artefact carries it; stated: whether `info` is the artefact's own word, not a user's or an assumption;
    random_weights: nothing was learned, a preset's name was given; maker: what computes, as errors about it begin.
    """

    def __init__(
        self, runtime: Embedder, source: str, *, random_weights: bool = False, maker: str = "its runtime"
    ) -> None:
        self.runtime = runtime
        self.maker = maker
        self.source = source
        self.random_weights = random_weights
        self.info: ArtefactInfo = runtime.info
        self.config: RunConfig | None = getattr(runtime, "config", None)
        self.stated: bool = getattr(runtime, "stated", True)

    def embed_batch(self, images: UInt8) -> Float32:
        """images [B, H, W, 3] uint8 RGB of `info.image.size` -> embeddings [B, D] float32, not normalised.

        Raises InputError for arrays of another shape or type.
        """
        wanted = (*self.info.image.size, 3)
        if images.dtype != "uint8" or images.shape[1:] != wanted:
            raise InputError(
                f"{self.source} takes uint8 [B, {wanted[0]}, {wanted[1]}, 3], not {images.dtype} {list(images.shape)}",
                "`embed` resizes; `embed_batch` does not",
            )
        vectors = self.runtime.embed_batch(images)
        shape = (len(images), self.info.embedding_dim)
        if getattr(vectors, "shape", None) != shape:
            made = f"shape {vectors.shape}" if hasattr(vectors, "shape") else f"a {type(vectors).__name__}"
            raise PluginError(
                f"{self.maker} gives {made} for {len(images)} images of {self.source}, not {shape}",
                "`reidctl plugins check NAME` says more",
            )
        return vectors

    def embed_stream(self, batches: Iterable[UInt8], done: Callable[[int, Float32], None]) -> None:
        """Embed batches [B, H, W, 3] as they come, several at once where the runtime can, none larger than the first.

        done takes the number of each batch, from 0, and its embeddings [B, D], in any order and maybe from other
        threads, one call at a time being its own affair; the array is valid during the call only.
        """
        embed_stream(self.runtime, batches, done)

    def stream_batch(self, asked: int | None = None) -> int:
        """Images a batch of a stream: the file's own fixed number, else the one asked for, else the engine's choice."""
        fixed, chunk = getattr(self.runtime, "batch", None), getattr(self.runtime, "chunk", CHUNK)
        return int(fixed or asked or chunk)

    def embed(self, images: Iterable[str | Path | UInt8], batch_size: int = 64) -> Float32:
        """Image files, or uint8 RGB arrays [H, W, 3] of any size -> embeddings [N, D] float32, not normalised.

        Raises InputError for a file that is no image, an array that is no picture, or no images at all.
        """
        from reidctl.retrieval import embed

        samples = tuple(_sample(index, image) for index, image in enumerate(images))
        if not samples:
            raise InputError("no images to embed")
        return embed(self, samples, batch_size=batch_size).vectors


def _sample(index: int, image: str | Path | UInt8) -> Sample:
    if isinstance(image, str | Path):
        return Sample(Path(image), Path(image).stem, identity=-1, camera=0)
    if image.dtype != "uint8" or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise InputError(f"image {index}: {image.dtype} {list(image.shape)} is no uint8 RGB picture [H, W, 3]")
    from PIL import Image

    return Sample(partial(Image.fromarray, image), f"image-{index}", identity=-1, camera=0)


def open_embedder(
    model: str | Path,
    *,
    device: str = "auto",
    precision: str | None = None,
    runtime: str | Spec | None = None,
    isolated: bool = False,
) -> ImageEmbedder:
    """Open a checkpoint, ONNX file, IR (.xml), run folder (its best checkpoint) or preset (random weights).

    device: `auto`, `cpu`, or a name of the runtime's own (`cuda:0`, `GPU`); precision: arithmetic, `f32`, `bf16` or
    `f16`, None for f32; runtime: a registered one by name or with its parameters, None for the first that opens the
    file's suffix, ours before others; isolated: in a process of its own, so that a crash of the engine is an error as
    any other. Raises InputError when the file is missing or not what its suffix says, when no runtime opens it, when
    device or precision are not to be had here, or when an isolated engine crashes.
    """
    found = locate(model)
    if isinstance(found, str):
        from reidctl.runtimes.network import NetworkEmbedder, preset_checkpoint

        logger.warning("preset %s: random weights, nothing was learned; for speed and shapes only", found)
        fresh = NetworkEmbedder(preset_checkpoint(found), device=device, precision=precision)
        return ImageEmbedder(fresh, found, random_weights=True)
    spec = runtime_for(found, runtime)
    build: Callable[..., Any] = IsolatedRuntime if isolated else runtimes.build
    opened = build(spec, path=found, device=device, precision=precision)
    maker = f"runtime '{spec.name}' from {runtimes.find(spec.name).origin}"
    return ImageEmbedder(opened, str(model), maker=maker)
