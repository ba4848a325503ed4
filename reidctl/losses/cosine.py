"""Directions and the cosines between them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from reidctl.losses.precision import widened, without_autocast


def directions(values: Tensor) -> Tensor:
    """[N, D] -> its rows at unit length, float32 or wider; a zero row stays zero."""
    return functional.normalize(widened(values), dim=1)


def similarities(embeddings: Tensor) -> Tensor:
    """[B, D] -> cosines [B, B] of all pairs of rows, float32 whatever the autocast."""
    with without_autocast(embeddings):
        units = directions(embeddings)
        return units @ units.T


class CosineClassifier(nn.Module):
    """Cosine between embeddings and class weights (NormFace, https://arxiv.org/abs/1704.06369, section 3).

    weight [D, C]: column c is the direction of class c, of unit length at the start and of any length later.
    embeddings [B, D] -> cosines [B, C] in -1…1, float32 whatever the autocast. A zero embedding has cosine 0.
    """

    def __init__(self, embedding_dim: int, num_classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(functional.normalize(torch.randn(embedding_dim, num_classes), dim=0))

    def forward(self, embeddings: Tensor) -> Tensor:
        with without_autocast(embeddings):
            embeddings = directions(embeddings)
            weight = self.weight.to(embeddings.dtype)
            # Scaling the products instead of the weights saves a third of the time: B x C is smaller than D x C.
            inverse_norms = weight.square().sum(dim=0).clamp_min(1e-24).rsqrt()  # [C]
            cosines: Tensor = embeddings @ weight * inverse_norms
            return cosines.clamp(-1, 1)  # [B, C]
