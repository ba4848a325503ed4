"""Batch normalisation over the batches of all processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from reidctl.training.processes import Processes, connected


class SharedNorms(TorchFunctionMode):
    """Within the block every batch normalisation in training uses the statistics of all processes' batches.

    Whatever layer calls `torch.nn.functional.batch_norm`, ours or another's, so that no layer is exchanged for another.
    The batches of all processes are of one size. Not for compiled networks.
    """

    def __init__(self, processes: Processes) -> None:
        super().__init__()
        self._processes = processes

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func is functional.batch_norm:
            return self._batch_norm(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def _batch_norm(
        self,
        images: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        if not training:
            return functional.batch_norm(images, running_mean, running_var, weight, bias, False, momentum, eps)
        mean, var = _statistics(images.detach(), self._processes.size)
        if running_mean is not None and running_var is not None:
            count = images.numel() // images.shape[1] * self._processes.size
            running_mean.lerp_(mean.to(running_mean.dtype), momentum)
            running_var.lerp_((var * (count / max(count - 1, 1))).to(running_var.dtype), momentum)
        one, zero = torch.ones_like(mean), torch.zeros_like(mean)
        found: Tensor = _Normalize.apply(
            images, one if weight is None else weight, zero if bias is None else bias, mean, var, eps
        )
        return found


def _statistics(images: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The mean and variance [C] of images [B, C, …] of all processes, in float32 or wider."""
    wide = images if images.dtype == torch.float64 else images.float()
    own = torch.stack(torch.var_mean(wide, _but_channels(images), correction=0))  # [2, C]
    every = [torch.empty_like(own) for _ in range(size)]
    with connected():
        dist.all_gather(every, own)
    var, mean = torch.stack(every).unbind(dim=1)  # [size, C] each
    return mean.mean(dim=0), var.mean(dim=0) + mean.var(dim=0, correction=0)


class _Normalize(torch.autograd.Function):
    """(x - mean) / sqrt(var + eps) · weight + bias, whose gradient knows that mean and var depend on every batch."""

    @staticmethod
    def forward(
        ctx: Any, images: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, var: Tensor, eps: float
    ) -> Tensor:
        ctx.save_for_backward(images, weight, mean, var)
        ctx.eps = eps
        return functional.batch_norm(images, mean, var, weight, bias, False, 0.0, eps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        images, weight, mean, var = ctx.saved_tensors
        shape = (1, -1, *[1] * (images.ndim - 2))
        inverse = (var + ctx.eps).rsqrt()
        dims = _but_channels(images)
        wide = gradient.to(mean.dtype)
        centred = images.to(mean.dtype) - mean.view(shape)
        own = torch.stack([wide.sum(dims), (wide * centred).sum(dims) * inverse])  # of bias and weight, [2, C]
        every = own.clone()
        with connected():
            dist.all_reduce(every)
        every /= images.numel() // images.shape[1] * dist.get_world_size()
        scale = weight.to(mean.dtype) * inverse
        to_images = wide * scale.view(shape)
        to_images -= (scale * every[0]).view(shape)
        to_images -= centred.mul_((scale * inverse * every[1]).view(shape))
        return to_images.to(images.dtype), own[1].to(weight.dtype), own[0].to(weight.dtype), None, None, None


def _but_channels(images: Tensor) -> list[int]:
    return [0, *range(2, images.ndim)]
