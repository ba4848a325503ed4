"""The filters of a network's convolutions, as matrices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from reidctl.losses.precision import widened

GATE = "gate"
"""Name of the modules that weigh channels: their small convolutions are no feature extractors."""


def filters(model: nn.Module, *, gates: bool) -> Iterator[tuple[Tensor, nn.BatchNorm2d | None]]:
    """The filters [S, N] of every convolution that learns and has more than one, and the batch norm that follows it.

    N: weights of one filter. gates: those within channel gates, too.
    """
    layers = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.BatchNorm2d) or next(module.children(), None) is None
    ]
    for (name, layer), following in zip(layers, [*(module for _, module in layers[1:]), None], strict=True):
        if isinstance(layer, nn.Conv2d) and layer.weight.requires_grad and layer.out_channels > 1:
            norm = following if isinstance(following, nn.BatchNorm2d) else None
            if gates or GATE not in name.split("."):
                yield widened(layer.weight).flatten(1), norm


def stacked(matrices: Iterable[Tensor]) -> list[Tensor]:
    """Matrices [S, N] -> one [L, S, N] for every shape, so that layers alike are computed at once."""
    shapes: dict[tuple[int, ...], list[Tensor]] = {}
    for matrix in matrices:
        shapes.setdefault(tuple(matrix.shape), []).append(matrix)
    return [torch.stack(alike) for alike in shapes.values()]
