"""A PyTorch network as an embedder, from a checkpoint or fresh from a preset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from reidctl.config import load_config
from reidctl.data.loader import normalize
from reidctl.devices import resolve_device
from reidctl.errors import InputError
from reidctl.runtimes.fusing import fuse_batch_norms
from reidctl.training.checkpoint import Checkpoint, build_model, describe
from reidctl.training.compiling import has_compiler
from reidctl.training.validation import ModelEmbedder

if TYPE_CHECKING:
    from reidctl.types import Float32, UInt8

PRECISIONS = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


class NetworkEmbedder(ModelEmbedder):
    """The network of a checkpoint, in eval mode on a device.

    device: auto (the first GPU where there is one), cpu, cuda or cuda:N; precision: f32, bf16, on GPUs f16, None: f32.
    """

    def __init__(self, checkpoint: Checkpoint, *, device: str, precision: str | None) -> None:
        place = resolve_device(device.lower())
        self.config = checkpoint.config
        self.device = str(place)
        self.precision = precision or "f32"
        known = [name for name in PRECISIONS if name != "f16" or place.type != "cpu"]
        if self.precision not in known:
            raise InputError(f"PyTorch computes no '{precision}' on {place}", f"choose {' or '.join(known)}")
        network = checkpoint.build()
        fuse_batch_norms(network)
        network.to(memory_format=torch.channels_last).to(place)
        super().__init__(_InPrecision(network, place, PRECISIONS[self.precision]), checkpoint.info, place)
        self._network, self._place = network, place

    def compile(self) -> None:
        """Compile the network when it is first used; InputError where nothing here can build what torch writes."""
        if not has_compiler(self._place):
            raise InputError("PyTorch cannot compile here: there is no C++ compiler", "install g++ or clang")
        self._model = torch.compile(self._model)  # type: ignore[assignment]

    @torch.inference_mode()
    def feature_maps(self, images: UInt8) -> Float32:
        """images [B, H, W, 3] uint8 RGB -> the maps that the network pools [B, C, h, w], in float32."""
        batch = torch.from_numpy(images).permute(0, 3, 1, 2).to(self._place)
        maps: Float32 = self._network.feature_maps(normalize(batch, self.info.image)).cpu().numpy()  # type: ignore[operator]
        return maps


class _InPrecision(nn.Module):
    """A network computed in a precision; float32 in, float32 out."""

    def __init__(self, network: nn.Module, device: torch.device, precision: torch.dtype) -> None:
        super().__init__()
        self._network, self._device, self._precision = network, device, precision

    def forward(self, images: Tensor) -> Tensor:
        with torch.autocast(self._device.type, self._precision, enabled=self._precision != torch.float32):
            embeddings: Tensor = self._network(images)
        return embeddings.float()


def preset_checkpoint(name: str) -> Checkpoint:
    """The network of a preset with fresh weights, drawn from the preset's seed: the same every time."""
    config = load_config(preset=name).config
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)
        model = build_model(config)
    return Checkpoint(Path(name), config, describe(model, config), model.state_dict())
