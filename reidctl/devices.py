"""The devices that PyTorch computes on."""

from __future__ import annotations

import re

import torch

from reidctl.errors import ConfigError


def resolve_device(name: str) -> torch.device:
    """`auto`, `cpu`, `cuda` or `cuda:N` -> the device; auto is the first GPU where there is one.

    ConfigError for a name that is none of these or a GPU that is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
        raise ConfigError(f"device: '{name}' is no device of PyTorch", "auto, cpu, cuda or cuda:N")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"device: no '{name}' here, torch sees {torch.cuda.device_count()} GPUs", "auto takes the best"
        )
    return device
