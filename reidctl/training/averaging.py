"""The moving average of a network's weights, which is tested and kept in their place."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

import torch
from torch import Tensor, nn


class Average:
    """An exponential moving average of the weights and statistics of `source`, as a network of its own (`model`).

    After update t it keeps min(decay, (1 + t) / (10 + t)) of itself, so that the first weights are soon forgotten
    (as in TensorFlow's ExponentialMovingAverage, num_updates). Whole numbers, such as counters, are copied.
    """

    def __init__(self, source: nn.Module, decay: float) -> None:
        self.model = deepcopy(source).requires_grad_(False)
        self.decay, self.updates = decay, 0
        pairs = list(zip(_tensors(self.model), _tensors(source), strict=True))
        self._averaged = [(ours, theirs) for ours, theirs in pairs if ours.is_floating_point()]
        self._copied = [(ours, theirs) for ours, theirs in pairs if not ours.is_floating_point()]

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights of `source` as they are now."""
        self.updates += 1
        kept = min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(*_columns(self._averaged), 1 - kept)
        if self._copied:
            torch._foreach_copy_(*_columns(self._copied))


def _tensors(model: nn.Module) -> Iterator[Tensor]:
    yield from (parameter.data for parameter in model.parameters())
    yield from model.buffers()


def _columns(pairs: list[tuple[Tensor, Tensor]]) -> tuple[list[Tensor], list[Tensor]]:
    return [ours for ours, _ in pairs], [theirs for _, theirs in pairs]
