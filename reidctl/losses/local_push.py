"""Pushes an embedding away from the nearest one of another identity."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge
from pydantic import Field
from torch import Tensor, nn

from reidctl.losses.cosine import similarities
from reidctl.losses.labels import require_classes, same_label

PushMargin = Annotated[
    float, Ge(0), Field(description="cosine that other identities may have, or with smart_margin must stay below by")
]
SmartMargin = Annotated[
    bool, Field(description="measure the margin from the embedding's cosine to its own class, where that is larger")
]


class LocalPush(nn.Module):
    """The largest cosine of each embedding to another identity's, as far as it exceeds a threshold.

    From the original toolkit. The threshold is the margin or, with smart_margin, max(0, s - margin), where s is the
    cosine of the embedding to its own class; it is not differentiated.
    embeddings [B, D] float, of any length; labels [B] int64; cosines [B, C]: to the classes, of which labels are,
    InputError otherwise, of the run's first loss that has any -> scalar, float32 under autocast: the mean over the
    batch, 0 for one identity alone.
    """

    def __init__(self, margin: PushMargin = 0.1, smart_margin: SmartMargin = True) -> None:
        super().__init__()
        self.margin, self.smart_margin = margin, smart_margin

    def forward(self, embeddings: Tensor, labels: Tensor, *, cosines: Tensor) -> Tensor:
        threshold = smart_threshold(cosines, labels, self.margin) if self.smart_margin else self.margin
        return local_push(similarities(embeddings), labels, threshold)


def smart_threshold(cosines: Tensor, labels: Tensor, margin: float) -> Tensor:
    """[B, C] cosines to the classes -> [B, 1]: the own class's less the margin, not below 0."""
    require_classes(labels, cosines.shape[1])
    return (cosines.detach().gather(1, labels[:, None]) - margin).clamp_min(0)


def local_push(similar: Tensor, labels: Tensor, threshold: Tensor | float) -> Tensor:
    """The mean over rows of the largest excess of similar [B, B] over the threshold, among other labels."""
    if not len(labels):
        return similar.sum()
    return (similar - threshold).relu().masked_fill(same_label(labels), 0).amax(dim=1).mean()
