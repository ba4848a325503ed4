"""The devices that an engine has here, and the arithmetics that they have instructions for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from reidctl.errors import InputError
from reidctl.processor import processor

CAPABILITIES = {"f32": "FP32", "bf16": "BF16"}
"""What OpenVINO calls the arithmetics that a row is made of unless others are asked for."""


def require_device(name: str, engines: Sequence[str]) -> None:
    """InputError, naming those that there are, for a device that none of the engines has."""
    known = {engine: devices_of(engine) for engine in engines}
    if any(devices is None or _has(devices, name) for devices in known.values()):
        return
    there = "; ".join(f"{', '.join(devices)} ({engine})" for engine, devices in known.items() if devices)
    raise InputError(f"no device '{name}' here", f"there are: {there}")


def devices_of(engine: str) -> tuple[str, ...] | None:
    """The devices of one of our engines; None for another's, which knows best."""
    if engine == "openvino":
        return tuple(_core().available_devices)
    return _of_pytorch() if engine in ("eager", "compiled") else None


def native_precisions(device: str, engine: str) -> tuple[str, ...] | None:
    """f32, and bf16 where the device has instructions for it; None where the engine does not have the device."""
    known = devices_of(engine)
    if known is None:
        return ("f32",)
    if not _has(known, device):
        return None
    if engine == "openvino":
        able = _core().get_property(device.upper(), "OPTIMIZATION_CAPABILITIES")
        return tuple(name for name, capability in CAPABILITIES.items() if capability in able)
    if device.lower() == "cpu":
        return ("f32", "bf16") if processor().has_bf16 else ("f32",)
    return "f32", "bf16"


def _has(devices: tuple[str, ...], name: str) -> bool:
    """Whether the name is that of a device, or of its kind: `GPU` for OpenVINO's GPU.0, `cuda` for PyTorch's cuda:0."""
    return any(name.lower() in (device, re.split("[.:]", device)[0]) for device in map(str.lower, devices))


@cache
def _of_pytorch() -> tuple[str, ...]:
    import torch

    return ("cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count())))


def _core() -> Any:
    from reidctl.runtimes.engine import engine

    return engine()
