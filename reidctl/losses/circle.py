"""Circle loss, on the pairs of a batch and on classes."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Gt, Lt
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from reidctl.losses.cosine import CosineClassifier, similarities
from reidctl.losses.cross_entropy import Smoothing, cross_entropy
from reidctl.losses.labels import others, require_classes, same_label

Margin = Annotated[
    float, Ge(0), Lt(1), Field(description="cosines of 1 - margin to the same and margin to others are near enough")
]
Scale = Annotated[float, Gt(0), Field(description="factor of the weighted cosines: inverse temperature")]


class Circle(nn.Module):
    """Circle loss over pairs: similar pairs pull and dissimilar ones push the more, the farther they are from the goal.

    Paper: https://arxiv.org/abs/2002.10857, equations 4 to 6, with its values for re-identification. Of an anchor:
    softplus(logsumexp(scale a_n (s_n - margin)) + logsumexp(-scale a_p (s_p - 1 + margin))) over the cosines s_n to
    other labels and s_p to its own, with the weights a_n = max(0, s_n + margin) and a_p = 1 + margin - s_p, which are
    not differentiated.
    embeddings [B, D] float, of any length, labels [B] int64 -> scalar, float32 under autocast: the mean over the
    anchors that have both kinds of pairs, 0 where none has.
    """

    def __init__(
        self,
        margin: Margin = 0.25,
        scale: Scale = 128.0,
    ) -> None:
        super().__init__()
        self.margin, self.scale = margin, scale

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        cosines = similarities(embeddings)  # [B, B]
        same = same_label(labels)
        positive, negative = same & others(labels), ~same
        pulled = -self.scale * _toward_one(cosines, self.margin)
        pushed = self.scale * _toward_zero(cosines, self.margin)
        losses = functional.softplus(_logsumexp(pulled, positive) + _logsumexp(pushed, negative))  # [B]
        complete = positive.any(dim=1) & negative.any(dim=1)
        return (losses * complete).sum() / complete.sum().clamp_min(1)


class CircleSoftmax(nn.Module):
    """Circle loss over classes: a cross entropy whose logits grow with the distance of a cosine from its goal.

    Paper: https://arxiv.org/abs/2002.10857, section 3.1 with class-level labels. The logit of the target is
    scale (1 + margin - s)(s - 1 + margin), of any other class scale max(0, s + margin)(s - margin); the first factors
    are not differentiated.
    embeddings [B, D] float, of any length; labels [B] int64 in 0…C-1, InputError otherwise -> scalar, float32 under
    autocast: the batch mean, 0 for an empty batch.
    """

    def __init__(
        self,
        margin: Margin = 0.25,
        scale: Scale = 128.0,
        label_smoothing: Smoothing = 0.0,
        *,
        embedding_dim: int,
        num_classes: int,
    ) -> None:
        super().__init__()
        self.margin, self.scale, self.label_smoothing = margin, scale, label_smoothing
        self.classifier = CosineClassifier(embedding_dim, num_classes)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        require_classes(labels, self.classifier.weight.shape[1])
        cosines, column = self.cosines(embeddings), labels[:, None]
        target = _toward_one(cosines.gather(1, column), self.margin)  # [B, 1]
        logits = self.scale * _toward_zero(cosines, self.margin).scatter(1, column, target)
        losses = cross_entropy(logits.log_softmax(dim=1), labels, self.label_smoothing)
        return losses.sum() / max(len(losses), 1)

    def cosines(self, embeddings: Tensor) -> Tensor:
        """Cosines [B, C] to the classes."""
        found: Tensor = self.classifier(embeddings)
        return found

    def logits(self, embeddings: Tensor) -> Tensor:
        """Scaled cosines [B, C] without margin and weights, as a test would rank the classes."""
        return self.scale * self.cosines(embeddings)


def _toward_one(cosines: Tensor, margin: float) -> Tensor:
    return (1 + margin - cosines.detach()).relu() * (cosines - (1 - margin))


def _toward_zero(cosines: Tensor, margin: float) -> Tensor:
    return (cosines.detach() + margin).relu() * (cosines - margin)


def _logsumexp(values: Tensor, counted: Tensor) -> Tensor:
    # Infinity would have no gradient where a row counts nothing.
    return values.masked_fill(~counted, torch.finfo(values.dtype).min / 4).logsumexp(dim=1)
