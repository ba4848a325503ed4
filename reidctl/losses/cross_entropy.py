"""Cross entropy, its confidence penalty and the mean they are reduced with; all on log-probabilities [B, C]."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Lt
from pydantic import Field
from torch import Tensor

Smoothing = Annotated[
    float, Ge(0), Lt(1), Field(description="share of the target probability spread evenly over all classes")
]
Penalty = Annotated[float, Ge(0), Field(description="weight of the entropy that is subtracted from a sample's loss")]


def cross_entropy(log_probabilities: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """[B, C] log-probabilities, [B] labels -> [B], against (1 - smoothing) one-hot + smoothing / C.

    Label smoothing: https://arxiv.org/abs/1512.00567, section 7.
    """
    target = -log_probabilities.gather(1, labels[:, None]).squeeze(1)  # [B]
    if smoothing == 0:
        return target
    return (1 - smoothing) * target - smoothing * log_probabilities.mean(dim=1)


def entropy(log_probabilities: Tensor) -> Tensor:
    """[B, C] log-probabilities -> [B] entropies in nats, 0…ln C."""
    return -(log_probabilities.exp() * log_probabilities).sum(dim=1)


def mean_of_positive(losses: Tensor) -> Tensor:
    """Mean of the positive entries of [B]; 0 where there is none.

    Samples that are solved drop out of the sum and of the count, so the rest keeps its weight.
    """
    return losses.relu().sum() / (losses > 0).sum().clamp_min(1)
