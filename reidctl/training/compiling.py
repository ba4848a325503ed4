"""Compiling the network of a run, where that pays off."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from reidctl.errors import ConfigError
from reidctl.training.graphing import Graphed

logger = logging.getLogger(__name__)

WORTH = {"cpu": 100_000, "cuda": 300_000}
"""Training images from which the minutes of compiling come back: some milliseconds an image on a CPU, less on a GPU."""

CPU_OPTIONS: dict[str, Any] = {"force_layout_optimization": True}
"""The compiler looks for convolutions to decide on channels_last and finds none in a backward pass, whose depthwise
gradients take several times as long channel by channel."""

Forward = Callable[[Tensor], Tensor]


def is_worth_it(device: torch.device, images: int, *, deterministic: bool) -> bool:
    """Whether a run over so many training images, repetitions counted, is faster with compiling than without.

    Never in deterministic runs: what a compiler makes of a network changes with its version and the machine.
    """
    long = images >= WORTH.get(device.type, images + 1)
    return long and not deterministic and _is_faster(device) and has_compiler(device)


def _is_faster(device: torch.device) -> bool:
    """Whether compiled steps are faster at all: on a CPU only with AVX-512; shorter vectors gain next to nothing."""
    return device.type != "cpu" or torch.backends.cpu.get_cpu_capability() == "AVX512"


def has_compiler(device: torch.device) -> bool:
    """Whether what torch compiles for `device` can be built here; for a CPU that takes a C++ compiler."""
    if device.type != "cpu":
        return True
    # Imported here: the compiler takes seconds to import.
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except (InvalidCxxCompiler, RuntimeError):
        return False
    return True


def forward_of(
    model: nn.Module, device: torch.device, wanted: bool | Literal["auto"], *, worth_it: bool, graphs: bool = False
) -> Forward:
    """What a step calls: `model`, or its compiled form, which shares the model's weights; with graphs as CUDA graphs.

    A second batch size compiles once more, for any size; a third does not. Under `auto` a network that does not
    compile runs as it is, with a warning; ConfigError for one that was told to compile and cannot.
    """
    if wanted is False or (wanted == "auto" and not worth_it):
        return Graphed(model) if graphs else model
    if not has_compiler(device):
        raise ConfigError("train.compile: no C++ compiler here", "install g++ or clang, or set train.compile to false")
    mode, options = "reduce-overhead" if graphs else None, CPU_OPTIONS if device.type == "cpu" else None
    return _Compiled(model, torch.compile(model, mode=mode, options=options), required=wanted is True)


def is_compiled(forward: Forward) -> bool:
    """Whether `forward_of` compiles what it gave."""
    return isinstance(forward, _Compiled)


class _Compiled:
    """What compiles at its first call, and goes back to the plain model if that fails and may."""

    def __init__(self, model: nn.Module, compiled: Forward, *, required: bool) -> None:
        self._model, self._required = model, required
        self._forward = compiled

    def __call__(self, images: Tensor) -> Tensor:
        from torch._dynamo.exc import TorchDynamoException

        try:
            return self._forward(images)
        except TorchDynamoException as error:
            reason = " ".join(str(error).partition("\n\n")[0].split())
            name = type(self._model).__name__
            if self._required:
                raise ConfigError(
                    f"train.compile: {name} does not compile: {reason}", "set train.compile to false"
                ) from error
            logger.warning("%s does not compile and runs as it is: %s", name, reason)
            self._forward = self._model
            return self(images)
