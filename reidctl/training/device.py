"""The device of a run and the kind of arithmetic on it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from reidctl.errors import ConfigError, InputError


def resolve_device(name: str) -> torch.device:
    """`auto`, `cpu`, `cuda` or `cuda:N` -> the device; auto is the first GPU where there is one.

    ConfigError for a name that is none of these or a GPU that is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
        raise ConfigError(f"device: '{name}' is no device to train on", "auto, cpu, cuda or cuda:N")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(f"device: no '{name}' here, {torch.cuda.device_count()} GPUs are visible to torch", "device: auto")
    return device


def seed_step(seed: int) -> None:
    """Seed the generators of the CPU and, where it is in use, of the GPU.

    torch.manual_seed also calls on accelerators that are not there, at 70 times the cost.
    """
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed(seed)


@contextmanager
def algorithms(deterministic: bool) -> Iterator[None]:
    """Within the block, only algorithms that always give the same result, or else the fastest ones."""
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    if deterministic:
        # cuBLAS reads it when it starts.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.benchmark = not deterministic
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]


@contextmanager
def explained() -> Iterator[None]:
    """Within the block, what torch raises for a lack of memory or of a deterministic algorithm names the key to change."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ConfigError("the GPU has too little memory for this batch", "lower train.batch_size, or train.precision=bf16") from error
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        if "DataLoader worker" in reason:
            raise InputError(
                f"a process that reads images died: {reason}", "it ran out of memory, mostly: lower data.workers"
            ) from error
        if "deterministic" in reason and torch.are_deterministic_algorithms_enabled():
            raise ConfigError(f"deterministic: {reason}", "set deterministic to false") from error
        raise
