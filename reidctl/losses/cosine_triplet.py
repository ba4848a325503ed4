"""Triplet loss between cosines."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from annotated_types import Ge
from pydantic import Field
from torch import Tensor, nn

from reidctl.losses.cosine import similarities
from reidctl.losses.cross_entropy import mean_of_positive
from reidctl.losses.labels import others, same_label

SMALLEST = 1e-6
"""Distances, and what is left of the largest one, count as this much at least: their logarithms are weighed."""

Mining = Annotated[
    Literal["hard", "distance_weighted"],
    Field(
        description="hard: the farthest positive and the nearest negative; distance_weighted: all of them, negatives "
        "weighed so that every distance counts alike"
    ),
]


class CosineTriplet(nn.Module):
    """Triplet loss between cosines: negatives must be less similar than positives by a margin.

    Papers: https://arxiv.org/abs/1703.07737, equation 5 (`hard`); https://arxiv.org/abs/1706.07567, section 4
    (`distance_weighted`). The hinge of a triplet is max(0, margin + s_n - s_p); the result is the sum over the anchors
    divided by the number of hinges that are not 0, at least 1, so that solved triplets do not thin it.
    hard: s_p is the smallest cosine to the same label, 1 where there is none, and s_n the largest to another.
    distance_weighted: any positive, and negatives at distance d = 1 - s_n with probabilities in proportion to 1 / q(d),
    the rarity of that distance between random directions: log 1/q = (2 - D) log d + (3 - D) / 2 log(1 - d²/4). Where
    the original draws one triplet an anchor, sum and number are the means over all draws, the same each time.
    embeddings [B, D] float, of any length, labels [B] int64 -> scalar, float32 under autocast; 0 for one identity.
    """

    def __init__(
        self,
        margin: Annotated[float, Ge(0), Field(description="cosine that a positive must be nearer by")] = 0.35,
        mining: Mining = "hard",
    ) -> None:
        super().__init__()
        self.margin, self.mining = margin, mining

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        cosines = similarities(embeddings)  # [B, B]
        if self.mining == "hard":
            return hardest(cosines, labels, self.margin)
        return distance_weighted(cosines, labels, self.margin, embeddings.shape[1])


def hardest(cosines: Tensor, labels: Tensor, margin: float) -> Tensor:
    """The loss of the hardest triplet of every anchor; cosines [B, B], labels [B]."""
    if not len(labels):
        return cosines.sum()
    same = same_label(labels)
    positive = cosines.masked_fill(~(same & others(labels)), 1).amin(dim=1)
    # Below any cosine by more than a margin can bridge, where there is no negative.
    negative = cosines.masked_fill(same, -4 - margin).amax(dim=1)
    return mean_of_positive(margin + negative - positive)


def distance_weighted(cosines: Tensor, labels: Tensor, margin: float, embedding_dim: int) -> Tensor:
    """The mean hinge over all positives and weighted negatives of every anchor; cosines [B, B], labels [B]."""
    same, other = same_label(labels), others(labels)
    negative, positive = ~same, same & other
    weights = _weights(cosines.detach(), negative, embedding_dim)
    # Falling, so that the negatives with a hinge against a positive are the first few, and sums over those are at hand.
    ranked, order = cosines.masked_fill(same, -4 - margin).sort(dim=1, descending=True)
    weights = weights.gather(1, order)
    similar = cosines.masked_fill(~other, 1)
    few = torch.searchsorted(-ranked.detach(), margin - similar.detach())  # [B, B]: how many, for each positive
    mass = _sums(weights).gather(1, few)
    hinges = (margin - similar) * mass + _sums(weights * ranked).gather(1, few)
    # An anchor counts once, however many positives it has; one without any has itself.
    alone = ~positive.any(dim=1, keepdim=True) & ~other
    shares = (positive | alone).to(cosines.dtype) / positive.sum(dim=1, keepdim=True).clamp_min(1)
    return (shares * hinges).sum() / (shares * mass).sum().clamp_min(1)


def _sums(values: Tensor) -> Tensor:
    """[B, N] -> [B, N + 1]: the sums over the first 0…N values of each row."""
    return nn.functional.pad(values.cumsum(dim=1), (1, 0))


def _weights(cosines: Tensor, negative: Tensor, embedding_dim: int) -> Tensor:
    """[B, B] weights of the negatives, 1 in sum where a row has any."""
    distance = (1 - cosines).clamp_min(SMALLEST)
    rest = (1 - distance.square() / 4).clamp_min(SMALLEST)
    inverse = (2 - embedding_dim) * distance.log() + (3 - embedding_dim) / 2 * rest.log()
    least = torch.finfo(cosines.dtype).min
    return inverse.masked_fill(~negative, least).softmax(dim=1) * negative
