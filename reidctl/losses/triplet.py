"""Triplet loss over the hardest examples of a batch."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge
from pydantic import Field
from torch import Tensor, nn

from reidctl.losses.cosine import directions
from reidctl.losses.labels import same_label
from reidctl.losses.precision import widened, without_autocast


class Triplet(nn.Module):
    """Batch-hard triplet loss. Paper: https://arxiv.org/abs/1703.07737, equation 5.

    margin: in units of Euclidean distance, between embeddings as they come or, with `normalize`, of unit length (then
    distances are below 2).
    embeddings [B, D] float, labels [B] int64 -> scalar, float32 under autocast: the mean over anchors of
    max(0, margin + farthest same label - nearest other label). An anchor alone with its label has itself at distance
    1e-6 as positive; one without any other label in the batch adds 0.
    """

    def __init__(
        self,
        margin: Annotated[
            float, Ge(0), Field(description="distance by which the nearest negative must exceed the farthest positive")
        ] = 0.3,
        normalize: Annotated[bool, Field(description="scale embeddings to unit length first")] = False,
    ) -> None:
        super().__init__()
        self.margin, self.normalize = margin, normalize

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        if len(embeddings) == 0:
            return embeddings.sum()
        with without_autocast(embeddings):
            embeddings = directions(embeddings) if self.normalize else widened(embeddings)
            positive, negative, complete = _hardest(embeddings.detach(), labels)
            farther = _distance(embeddings, embeddings[positive]) - _distance(embeddings, embeddings[negative])
            return ((farther + self.margin).relu() * complete).mean()


def _hardest(embeddings: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Row of the farthest same-label and of the nearest other-label embedding, and whether there is one of these."""
    # What all embeddings share would cost digits of the products below; distances do not depend on it.
    embeddings = embeddings - embeddings.mean(dim=0)
    # The row's own squared norm does not change which column is farthest or nearest.
    ranking = embeddings.square().sum(dim=1) - 2 * embeddings @ embeddings.T  # [B, B]
    same = same_label(labels)
    positive = ranking.masked_fill(~same, -torch.inf).argmax(dim=1)
    negative = ranking.masked_fill(same, torch.inf).argmin(dim=1)
    return positive, negative, ~same.all(dim=1)


def _distance(left: Tensor, right: Tensor) -> Tensor:
    # Of the chosen pairs only, from differences: |a|² + |b|² - 2ab loses half the digits of a small distance.
    return (left - right).square().sum(dim=1).clamp_min(1e-12).sqrt()
