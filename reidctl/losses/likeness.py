"""How alike the images of a batch are to each other, as probabilities, and how far two such views are apart."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Gt
from pydantic import Field
from torch import Tensor

from reidctl.losses.cosine import similarities

Temperature = Annotated[float, Gt(0), Field(description="what is divided by before the softmax; low looks at the next")]


def likeness(embeddings: Tensor, temperature: float) -> Tensor:
    """[B, D] -> [B, B - 1]: for each row the log-softmax of its cosines with the others, float32 or wider."""
    return (off_diagonal(similarities(embeddings)) / temperature).log_softmax(dim=1)


def off_diagonal(pairs: Tensor) -> Tensor:
    """[B, B] -> [B, B - 1]: each row without its entry on the diagonal."""
    size = len(pairs)
    return pairs.flatten()[1:].view(size - 1, size + 1)[:, :-1].reshape(size, size - 1) if size > 1 else pairs[:, :0]


def divergence(target: Tensor, log_probabilities: Tensor) -> Tensor:
    """The mean over rows of the Kullback-Leibler divergence from target to the other, both log-probabilities [B, N].

    0 where there is nothing to compare, with a gradient of 0.
    """
    return (target.exp() * (target - log_probabilities)).sum() / max(len(target), 1)
