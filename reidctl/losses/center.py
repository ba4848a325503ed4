"""Centres of identities: embeddings are drawn to their own, and the centres pushed apart."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from reidctl.losses.cosine import directions
from reidctl.losses.cross_entropy import mean_of_positive
from reidctl.losses.labels import others, require_classes, same_label
from reidctl.losses.precision import without_autocast

CenterMargin = Annotated[
    float, Ge(0), Field(description="distance, 1 - cosine, below which two centres push each other; 0 for no push")
]


class Center(nn.Module):
    """Center loss between directions, with a push between the centres.

    Paper: https://doi.org/10.1007/978-3-319-46478-7_31, equation 2, here with 1 - cosine for the distance and centres
    that are learned with the network; the push is the original toolkit's.
    embeddings [B, D] float, of any length; labels [B] int64 in 0…C-1, InputError otherwise -> scalar, float32 under
    autocast: the mean distance of the embeddings to the centres of their identities, plus the mean over the pairs of
    the batch's centres that are nearer than the margin of what they lack. Without such a pair, as with one identity
    alone, there is no push. An empty batch gives 0.
    """

    def __init__(self, margin: CenterMargin = 0.1, *, embedding_dim: int, num_classes: int) -> None:
        super().__init__()
        self.margin = margin
        self.centers = new_centers(embedding_dim, num_classes)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        centers = centers_of(self.centers, embeddings, labels)
        return pull(directions(embeddings), centers) + push(centers, labels, self.margin)


def new_centers(embedding_dim: int, num_classes: int) -> nn.Parameter:
    """[C, D]: random directions."""
    return nn.Parameter(functional.normalize(torch.randn(num_classes, embedding_dim), dim=1))


def centers_of(centers: Tensor, embeddings: Tensor, labels: Tensor) -> Tensor:
    """The directions [B, D] of the centres [C, D] of `labels`, in the type of the widened embeddings."""
    require_classes(labels, len(centers))
    return directions(centers[labels]).to(torch.promote_types(embeddings.dtype, torch.float32))


def pull(units: Tensor, centers: Tensor) -> Tensor:
    """The mean of 1 - cosine between rows of unit length, [B, D] each."""
    return (1 - (units * centers).sum(dim=1).clamp(-1, 1)).sum() / max(len(units), 1)


def push(centers: Tensor, labels: Tensor, margin: float) -> Tensor:
    """The mean of margin - distance over the ordered pairs of centres nearer than that; each identity's centre once.

    centers [B, D] of unit length: row i is the centre of labels[i].
    """
    with without_autocast(centers):
        cosines = (centers @ centers.T).clamp(-1, 1)
    first = ~same_label(labels).tril(-1).any(dim=1)
    pairs = first[:, None] & first & others(labels)
    return mean_of_positive((margin - (1 - cosines)).masked_fill(~pairs, 0))
