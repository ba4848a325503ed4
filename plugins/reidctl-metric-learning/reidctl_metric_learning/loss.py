"""A loss of the library as a loss of reidctl."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from reidctl.losses.labels import require_classes
from reidctl.losses.precision import widened, without_autocast


class MetricLearningLoss(nn.Module):
    """A loss of the library, behind a miner where there is one.

    embeddings [B, D] float, labels [B] int64 -> scalar, float32 under autocast. A batch in which the loss, or its
    miner, finds nothing to compare gives 0. num_classes: a label outside of 0…C-1 is an InputError; None: any labels.
    """

    def __init__(self, loss: nn.Module, miner: nn.Module | None = None, num_classes: int | None = None) -> None:
        super().__init__()
        self.loss, self.miner, self.num_classes = loss, miner, num_classes

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        if self.num_classes is not None:
            require_classes(labels, self.num_classes)
        with without_autocast(embeddings):
            embeddings = widened(embeddings)
            mined = None if self.miner is None else self.miner(embeddings, labels)
            value: Tensor = self.loss(embeddings, labels, mined)
            return value


class ClassifyingLoss(MetricLearningLoss):
    """One that has class weights, and tells what they make of embeddings."""

    loss: Any

    def logits(self, embeddings: Tensor) -> Tensor:
        """[B, D] -> [B, C], the higher the more likely, margins left out."""
        with without_autocast(embeddings):
            found: Tensor = self.loss.get_logits(widened(embeddings))
        # Losses with proxies answer distances as they are.
        return -found if hasattr(self.loss, "proxies") and not self.loss.distance.is_inverted else found
