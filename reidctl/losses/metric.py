"""Center, push-center, triplet and local-push losses, weighed by learning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from annotated_types import Ge
from pydantic import Field
from torch import Tensor, nn

from reidctl.errors import ConfigError
from reidctl.losses.center import CenterMargin, centers_of, new_centers, pull, push
from reidctl.losses.cosine import directions, similarities
from reidctl.losses.cosine_triplet import hardest
from reidctl.losses.labels import require_classes
from reidctl.losses.local_push import PushMargin, SmartMargin, local_push, smart_threshold

PRICE = 0.1
"""What one unit of a log-weight costs."""


class Metric(nn.Module):
    """The metric losses of the original toolkit, whose balance is learned.

    The terms are those of `center` (distance to the centre, and the push between centres), `cosine_triplet` (hard) and
    `local_push`. Without balance the result is the sum of the terms with their weights. With balance, and more than
    one term of weight above 0, a term L above 0 becomes max(0, exp(-w) L + 0.1 w), w being learned (after
    https://arxiv.org/abs/1705.07115, section 3), and the sum is multiplied by the number of terms over the number
    above 0. The original then leaves its weights out of the sum; here they count as without balance.
    embeddings [B, D] float, of any length; labels [B] int64 in 0…C-1, InputError otherwise; cosines [B, C]: to the
    classes of the run's first loss that has any -> scalar, float32 under autocast.
    """

    def __init__(
        self,
        center: Annotated[float, Ge(0), Field(description="weight of both center terms; 0 for none")] = 1.0,
        triplet: Annotated[float, Ge(0), Field(description="weight of the triplet term; 0 for none")] = 1.0,
        local_push: Annotated[float, Ge(0), Field(description="weight of the local push; 0 for none")] = 1.0,
        center_margin: CenterMargin = 0.1,
        triplet_margin: Annotated[float, Ge(0), Field(description="cosine a positive must be nearer by")] = 0.35,
        local_push_margin: PushMargin = 0.1,
        smart_margin: SmartMargin = True,
        balance: Annotated[bool, Field(description="learn how the terms are weighed against each other")] = True,
        *,
        embedding_dim: int,
        num_classes: int,
    ) -> None:
        super().__init__()
        terms = {"center": center, "push_center": center, "triplet": triplet, "local_push": local_push}
        self.weights = {name: weight for name, weight in terms.items() if weight > 0}
        if not self.weights:
            raise ConfigError("metric: center, triplet and local_push are all 0", "give one of them a weight above 0")
        self.center_margin, self.triplet_margin = center_margin, triplet_margin
        self.local_push_margin, self.smart_margin = local_push_margin, smart_margin
        self.balance = balance and len(self.weights) > 1
        if center > 0:
            self.centers = new_centers(embedding_dim, num_classes)
        if self.balance:
            self.log_weights = nn.Parameter(torch.zeros(len(self.weights)))

    def forward(self, embeddings: Tensor, labels: Tensor, *, cosines: Tensor) -> Tensor:
        require_classes(labels, cosines.shape[1])
        terms = self._terms(embeddings, labels, cosines)
        if self.balance:
            terms = _balanced(terms, self.log_weights)
        return torch.stack([weight * term for weight, term in zip(self.weights.values(), terms, strict=True)]).sum()

    def _terms(self, embeddings: Tensor, labels: Tensor, cosines: Tensor) -> list[Tensor]:
        similar = similarities(embeddings)  # [B, B]
        terms = []
        if "center" in self.weights:
            centers = centers_of(self.centers, embeddings, labels)
            terms += [pull(directions(embeddings), centers), push(centers, labels, self.center_margin)]
        if "triplet" in self.weights:
            terms.append(hardest(similar, labels, self.triplet_margin))
        if "local_push" in self.weights:
            margin = self.local_push_margin
            threshold = smart_threshold(cosines, labels, margin) if self.smart_margin else margin
            terms.append(local_push(similar, labels, threshold))
        return terms


def _balanced(terms: Sequence[Tensor], log_weights: Tensor) -> list[Tensor]:
    values = torch.stack(list(terms))
    log_weights = log_weights.to(values.dtype)
    weighed = ((-log_weights).exp() * values + PRICE * log_weights).relu().where(values > 0, 0)
    return list((weighed * len(terms) / (values > 0).sum().clamp_min(1)).unbind())
