"""Checkpoints through PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

if TYPE_CHECKING:
    from reidctl.types import Float32, UInt8


Compile = Annotated[bool, Field(description="compile the network; the first batch of a size then takes a minute")]


class PyTorchRuntime:
    """Opens checkpoints. device: auto, cpu, cuda or cuda:N; precision: f32, bf16, on GPUs f16."""

    suffixes: ClassVar[tuple[str, ...]] = (".safetensors",)

    def __init__(self, compile: Compile = False, *, path: Path, device: str, precision: str | None) -> None:  # noqa: A002
        # Imported here, so that asking a runtime for its suffixes does not cost a second.
        from reidctl.runtimes.network import NetworkEmbedder
        from reidctl.training.checkpoint import load_checkpoint

        self._network = NetworkEmbedder(load_checkpoint(path), device=device, precision=precision)
        if compile:
            self._network.compile()
        self.info = self._network.info
        self.config = self._network.config
        self.precision = self._network.precision
        self.device = self._network.device

    def embed_batch(self, images: UInt8) -> Float32:
        """images [B, H, W, 3] uint8 RGB -> embeddings [B, D] float32."""
        return self._network.embed_batch(images)

    def feature_maps(self, images: UInt8) -> Float32:
        """images [B, H, W, 3] uint8 RGB -> the maps that the network pools [B, C, h, w]."""
        return self._network.feature_maps(images)
