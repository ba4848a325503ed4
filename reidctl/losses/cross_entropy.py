"""Cross entropies, their confidence penalty and the mean they are reduced with; all on log-probabilities [B, C]."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Lt
from pydantic import Field
from torch import Tensor

Smoothing = Annotated[
    float, Ge(0), Lt(1), Field(description="share of the target probability spread evenly over all classes")
]
Penalty = Annotated[float, Ge(0), Field(description="weight of the entropy that is subtracted from a sample's loss")]

LOG_ZERO = -4.0
"""What log 0 counts as in the reverse cross entropy."""


def cross_entropy(log_probabilities: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """[B, C] log-probabilities, [B] labels -> [B], against (1 - smoothing) one-hot + smoothing / C.

    Label smoothing: https://arxiv.org/abs/1512.00567, section 7.
    """
    target = -_of_target(log_probabilities, labels)
    if smoothing == 0:
        return target
    return (1 - smoothing) * target - smoothing * log_probabilities.mean(dim=1)


def focus(log_probabilities: Tensor, labels: Tensor, gamma: float) -> Tensor:
    """[B]: (1 - probability of the target)^gamma. Focal loss, https://arxiv.org/abs/1708.02002, equation 4."""
    # The gradient of a small power is infinite at 0.
    return (-_of_target(log_probabilities, labels).expm1()).clamp_min(1e-9).pow(gamma)


def reverse_cross_entropy(log_probabilities: Tensor, labels: Tensor) -> Tensor:
    """[B]: 4 (1 - probability of the target). Symmetric learning, https://arxiv.org/abs/1908.06112, equation 7."""
    return LOG_ZERO * _of_target(log_probabilities, labels).expm1()


def entropy(log_probabilities: Tensor) -> Tensor:
    """[B, C] log-probabilities -> [B] entropies in nats, 0…ln C."""
    return -(log_probabilities.exp() * log_probabilities).sum(dim=1)


def mean_of_positive(losses: Tensor) -> Tensor:
    """Mean of the positive entries; 0 where there is none.

    Samples that are solved drop out of the sum and of the count, so the rest keeps its weight.
    """
    return losses.relu().sum() / (losses > 0).sum().clamp_min(1)


def _of_target(log_probabilities: Tensor, labels: Tensor) -> Tensor:
    return log_probabilities.gather(1, labels[:, None]).squeeze(1)
