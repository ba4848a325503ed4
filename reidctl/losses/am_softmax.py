"""Softmax with a margin between the classes on the unit sphere."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from annotated_types import Ge, Gt
from pydantic import Field
from torch import Tensor, nn

from reidctl.errors import ConfigError
from reidctl.losses.class_counts import class_weights, required
from reidctl.losses.cosine import CosineClassifier
from reidctl.losses.cross_entropy import (
    Penalty,
    Smoothing,
    cross_entropy,
    entropy,
    focus,
    mean_of_positive,
    reverse_cross_entropy,
)
from reidctl.losses.labels import require_classes
from reidctl.losses.margins import proportional, turned
from reidctl.losses.scale import ScaleSchedule


class AMSoftmax(nn.Module):
    """Additive-margin softmax: cross entropy over cosines, the target's lowered by a margin, times a scale.

    Papers: AM-Softmax https://arxiv.org/abs/1801.05599, equation 6 (`cos`: margin in units of cosine);
    ArcFace https://arxiv.org/abs/1801.07698, equation 3 (`arc`: margin in radians, and where angle + margin would
    pass pi the continuation cosine - margin sin(margin)); PR product https://arxiv.org/abs/1904.07433;
    confidence penalty https://arxiv.org/abs/1701.06548; focal loss https://arxiv.org/abs/1708.02002; symmetric cross
    entropy https://arxiv.org/abs/1908.06112.
    embeddings [B, D] float, of any length; labels [B] int64 in 0…C-1, InputError otherwise; epoch: epochs since the
    start, for a scheduled scale -> scalar, float32 under autocast.
    A sample's loss is its smoothed cross entropy times (1 - p)^focal_gamma, plus `symmetric` times 4 (1 - p), less the
    penalty times its entropy, never below 0, times the weight of its class; p is the probability of its class. The
    result is the mean over the samples whose loss is not 0, and 0 when there is none. The PR product leaves the value
    as it is and multiplies the gradient of every cosine by 1 / sine, at most by 1000.
    class_counts [C]: training images of each class. ConfigError for an angle of pi or more.
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
        focal_gamma: Annotated[
            float, Ge(0), Field(description="power of 1 - p that a sample's loss is multiplied by; 0 for none")
        ] = 0.0,
        symmetric: Annotated[
            float, Ge(0), Field(description="weight of the reverse cross entropy, which bears wrong labels; 0 for none")
        ] = 0.0,
        adaptive_margins: Annotated[
            bool, Field(description="divide a class's margin by the 4th root of its number of images")
        ] = False,
        class_weighting: Annotated[
            bool, Field(description="weigh a sample by the rarity of its class, on average 1")
        ] = False,
        scale_schedule: Annotated[
            ScaleSchedule | None, Field(description="the scale's way to another one; null for none")
        ] = None,
        *,
        embedding_dim: int,
        num_classes: int,
        class_counts: Tensor | None = None,
    ) -> None:
        super().__init__()
        if margin_type == "arc" and margin >= math.pi:
            degrees = f"{margin:g} degrees are {math.radians(margin):.3g}"
            raise ConfigError(f"am_softmax: margin {margin:g} is no angle below pi", f"it is in radians: {degrees}")
        self.margin, self.scale, self.margin_type, self.pr_product = margin, scale, margin_type, pr_product
        self.label_smoothing, self.confidence_penalty = label_smoothing, confidence_penalty
        self.focal_gamma, self.symmetric, self.scale_schedule = focal_gamma, symmetric, scale_schedule
        self.classifier = CosineClassifier(embedding_dim, num_classes)
        # The data says them again to a run that is resumed.
        counts = required(class_counts, num_classes, "adaptive_margins") if adaptive_margins else None
        weights = class_weights(required(class_counts, num_classes, "class_weighting")) if class_weighting else None
        self.class_counts: Tensor | None
        self.class_weights: Tensor | None
        self.register_buffer("class_counts", counts, persistent=False)
        self.register_buffer("class_weights", weights, persistent=False)

    def forward(self, embeddings: Tensor, labels: Tensor, *, epoch: float = 0.0) -> Tensor:
        return self.from_cosines(self.classifier(embeddings), labels, epoch=epoch)

    def cosines(self, embeddings: Tensor) -> Tensor:
        """Cosines [B, C] to the classes."""
        found: Tensor = self.classifier(embeddings)
        return found

    def logits(self, embeddings: Tensor, *, epoch: float = 0.0) -> Tensor:
        """Scaled cosines [B, C] without the margin, as a test would rank the classes."""
        return self._scale(epoch) * self.cosines(embeddings)

    def from_cosines(self, cosines: Tensor, labels: Tensor, *, epoch: float = 0.0) -> Tensor:
        """The loss of cosines [B, C] in -1…1, float32 or float64."""
        require_classes(labels, cosines.shape[1])
        if self.pr_product:
            cosines = proportional(cosines)
        column = labels[:, None]
        lowered = self._lowered(cosines.gather(1, column), column)  # [B, 1]
        logits = self._scale(epoch) * cosines.scatter(1, column, lowered)
        return mean_of_positive(self._losses(logits.log_softmax(dim=1), labels))

    def _scale(self, epoch: float) -> float:
        return self.scale if self.scale_schedule is None else self.scale_schedule.at(epoch, self.scale)

    def _lowered(self, cosines: Tensor, column: Tensor) -> Tensor:
        margin: Tensor | float = self.margin
        if self.class_counts is not None:
            margin = margin * self.class_counts[column].to(cosines.dtype).pow(-0.25)
        return turned(cosines, margin) if self.margin_type == "arc" else cosines - margin

    def _losses(self, log_probabilities: Tensor, labels: Tensor) -> Tensor:
        losses = cross_entropy(log_probabilities, labels, self.label_smoothing)  # [B]
        if self.focal_gamma > 0:
            losses = losses * focus(log_probabilities, labels, self.focal_gamma)
        if self.symmetric > 0:
            losses = losses + self.symmetric * reverse_cross_entropy(log_probabilities, labels)
        if self.confidence_penalty > 0:
            losses = losses - self.confidence_penalty * entropy(log_probabilities)
        return losses if self.class_weights is None else losses * self.class_weights[labels].to(losses.dtype)
