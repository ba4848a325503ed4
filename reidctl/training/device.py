"""The device of a run and the kind of arithmetic on it."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal

import torch

from reidctl.errors import ConfigError, DiskFull, InputError
from reidctl.files import is_full

logger = logging.getLogger(__name__)

Precision = Literal["auto", "f32", "bf16", "f16"]


def resolve_precision(name: Precision, device: torch.device, *, deterministic: bool) -> Precision:
    """`auto` -> bf16 where the device computes it, else f32; other names stay.

    bf16 has the range of f32, so that no loss needs scaling, and half its bytes, by which a step is bound; a device
    without instructions for it converts back and forth. f32 in deterministic runs, whose numbers should not depend on
    the kind of device unless a precision is asked for.
    """
    if name != "auto":
        return name
    return "bf16" if computes_bf16(device) and not deterministic else "f32"


def computes_bf16(device: torch.device) -> bool:
    """Whether `device` has instructions of its own for bf16: AMX, AVX-512 BF16, or a GPU from Ampere on."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and (torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())


def lower_precision(name: Precision, device: torch.device) -> torch.dtype | None:
    """The type of the network's arithmetic, where it is not f32; a warning where that is known to be slow."""
    if name == "bf16" and not computes_bf16(device):
        logger.warning("train.precision bf16: this %s lacks it and takes several times as long as in f32", device.type)
    if name == "f16" and device.type == "cpu":
        logger.warning("train.precision f16: most CPUs lack it and take ten times as long as in f32; bf16 is for them")
    return {"bf16": torch.bfloat16, "f16": torch.float16}.get(name)


def current(device: torch.device) -> AbstractContextManager[Any]:
    """Within the block a GPU with a number is the one of all events, seeds and recordings; others change nothing."""
    return torch.cuda.device(-1 if device.index is None else device.index)


def seed_step(seed: int) -> None:
    """Seed the generators of the CPU and, where it is in use, of the GPU.

    torch.manual_seed also calls on accelerators that are not there, at 70 times the cost.
    """
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed(seed)


@contextmanager
def algorithms(deterministic: bool) -> Iterator[None]:
    """Within the block, only algorithms that always give the same result, f32 being f32, or else the fastest ones."""
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    if deterministic:
        # cuBLAS reads it when it starts.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    _set_algorithms(deterministic, benchmark=not deterministic)
    try:
        with whole_mantissas() if deterministic else nullcontext():
            yield
    finally:
        _set_algorithms(*before)


def _set_algorithms(deterministic: bool, benchmark: bool) -> None:
    torch.backends.cudnn.benchmark = benchmark
    # The call imports torch's compiler, a second or more, even to change nothing.
    if deterministic != torch.are_deterministic_algorithms_enabled():
        torch.use_deterministic_algorithms(deterministic)


@contextmanager
def whole_mantissas() -> Iterator[None]:
    """Within the block a GPU convolves f32 as f32; TF32 would leave it 10 bits of mantissa."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


@contextmanager
def explained() -> Iterator[None]:
    """Within the block, a lack of memory, disk or a deterministic algorithm is an error that says what to change."""
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        raise DiskFull(*_space(error)) from error
    except RuntimeError as error:
        if lacks_memory(error):
            whose = "the GPU's" if isinstance(error, torch.OutOfMemoryError) else "this machine's"
            reason = f"{whose} memory does not hold this network and batch"
            raise ConfigError(reason, "lower train.batch_size, or set train.precision to bf16") from error
        reason = " ".join(str(error).split())
        if "DataLoader worker" in reason:
            raise InputError(
                f"a process that reads images died: {reason}", "it ran out of memory, mostly: lower data.workers"
            ) from error
        if is_not_deterministic(error):
            raise ConfigError(f"deterministic: {reason}", "set deterministic to false") from error
        raise


def lacks_memory(error: Exception) -> bool:
    """Whether `error` was raised for want of memory; torch has a type of its own for that of GPUs alone."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "DefaultCPUAllocator: " in str(error)


def is_not_deterministic(error: Exception) -> bool:
    """Whether torch raised `error` for want of an algorithm that always gives the same result."""
    return "deterministic" in str(error) and torch.are_deterministic_algorithms_enabled()


def _space(error: OSError) -> tuple[str, str]:
    path = Path(error.filename or ".").absolute()
    free = shutil.disk_usage(next(folder for folder in (path, *path.parents) if folder.exists())).free
    return (
        f"{path}: {error.strerror}, {free / 1e6:,.1f} MB are free",
        "free some space, then --resume; what was saved before is kept",
    )
