"""Softmax with a margin between the classes on the unit sphere."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from annotated_types import Ge, Gt
from pydantic import Field
from torch import Tensor, nn

from reidctl.losses.cosine import CosineClassifier
from reidctl.losses.cross_entropy import Penalty, Smoothing, cross_entropy, entropy, mean_of_positive

SMALLEST_SINE = 1e-3
"""Smaller sines count as this much: float32 knows 1 - cosine² to 1e-7 only, and the inverse of its root far worse."""


class AMSoftmax(nn.Module):
    """Additive-margin softmax: cross entropy over cosines, the target's lowered by a margin, times a scale.

    Papers: AM-Softmax https://arxiv.org/abs/1801.05599, equation 6 (`cos`: margin in units of cosine);
    ArcFace https://arxiv.org/abs/1801.07698, equation 3 (`arc`: margin in radians, and where angle + margin would
    pass pi the continuation cosine - margin sin(margin)); PR product https://arxiv.org/abs/1904.07433 and
    confidence penalty https://arxiv.org/abs/1701.06548.
    embeddings [B, D] float, of any length; labels [B] int64 in 0…C-1 -> scalar, float32 under autocast.
    A sample's loss is its smoothed cross entropy less the penalty times its entropy, never below 0; the result is the
    mean over the samples whose loss is not 0, and 0 when there is none. The PR product leaves the value as it is and
    multiplies the gradient of every cosine by 1 / sine, at most by 1000.
    """

    def __init__(
        self,
        margin: Annotated[float, Ge(0), Field(description="cosine (cos) or radians (arc) a target must win by")] = 0.35,
        scale: Annotated[float, Gt(0), Field(description="factor of the cosines: inverse temperature")] = 30.0,
        margin_type: Annotated[
            Literal["cos", "arc"], Field(description="whether the margin is taken off the cosine or added to the angle")
        ] = "cos",
        pr_product: Annotated[
            bool, Field(description="gradients that do not vanish where an embedding is close to its class")
        ] = False,
        label_smoothing: Smoothing = 0.0,
        confidence_penalty: Penalty = 0.0,
        *,
        embedding_dim: int,
        num_classes: int,
    ) -> None:
        super().__init__()
        self.margin, self.scale, self.margin_type, self.pr_product = margin, scale, margin_type, pr_product
        self.label_smoothing, self.confidence_penalty = label_smoothing, confidence_penalty
        self.classifier = CosineClassifier(embedding_dim, num_classes)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return self.from_cosines(self.classifier(embeddings), labels)

    def logits(self, embeddings: Tensor) -> Tensor:
        """Scaled cosines [B, C] without the margin, as a test would rank the classes."""
        scaled: Tensor = self.scale * self.classifier(embeddings)
        return scaled

    def from_cosines(self, cosines: Tensor, labels: Tensor) -> Tensor:
        """The loss of cosines [B, C] in -1…1, float32 or float64."""
        if self.pr_product:
            cosines = _proportional_gradient(cosines)
        column = labels[:, None]
        lowered = self._lower(cosines.gather(1, column))  # [B, 1]
        log_probabilities = (self.scale * cosines.scatter(1, column, lowered)).log_softmax(dim=1)
        losses = cross_entropy(log_probabilities, labels, self.label_smoothing)
        if self.confidence_penalty > 0:
            losses = losses - self.confidence_penalty * entropy(log_probabilities)
        return mean_of_positive(losses)

    def _lower(self, cosines: Tensor) -> Tensor:
        if self.margin_type == "cos":
            return cosines - self.margin
        beyond = cosines - self.margin * math.sin(self.margin)
        within = cosines * math.cos(self.margin) - _sines(cosines) * math.sin(self.margin)
        return within.where(cosines > math.cos(math.pi - self.margin), beyond)


def _sines(cosines: Tensor) -> Tensor:
    return (1 - cosines.square()).clamp_min(SMALLEST_SINE**2).sqrt()


def _proportional_gradient(cosines: Tensor) -> Tensor:
    # Zero plus the cosine: the difference carries the gradient, the detached term the value.
    values = cosines.detach()
    return values + (cosines - values) / _sines(values)
