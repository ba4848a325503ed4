"""Sharpness-aware minimisation: the gradient of a step, taken where the loss is highest nearby."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import Parameter

TINY = 1e-12
"""Added to the norm of the gradient, which may be 0."""


@contextmanager
def at_the_peak(model: nn.Module, parameters: Sequence[Parameter], rho: float) -> Iterator[None]:
    """Within the block, `parameters` are moved by `rho` along their gradient, which is one vector of them all.

    P. Foret et al., Sharpness-Aware Minimization, https://arxiv.org/abs/2010.01412, equation 2. The statistics that
    `model` keeps, those of batch norms, are put back as well: they belong to the weights, not to the peak.
    """
    moved: list[Tensor] = [parameter for parameter in parameters if parameter.grad is not None]
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    buffers = list(model.buffers())
    with torch.no_grad():
        before, kept = [p.clone() for p in moved], [buffer.clone() for buffer in buffers]
        reach = rho / (nn.utils.get_total_norm(gradients) + TINY)
        torch._foreach_add_(moved, list(torch._foreach_mul(gradients, reach)))
    try:
        yield
    finally:
        with torch.no_grad():
            torch._foreach_copy_(moved, before)
            if buffers:
                torch._foreach_copy_(buffers, kept)
