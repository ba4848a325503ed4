"""Softmax over angles, with several centres a class where labels are noisy."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Lt
from pydantic import Field
from torch import Tensor, nn

from reidctl.losses.cosine import CosineClassifier
from reidctl.losses.cross_entropy import Smoothing, cross_entropy
from reidctl.losses.labels import require_classes
from reidctl.losses.margins import turned


class ArcFace(nn.Module):
    """Additive angular margin: cross entropy over scaled cosines, the target's angle enlarged by a margin.

    Papers: ArcFace https://arxiv.org/abs/1801.07698, equation 3; several centres a class: Sub-center ArcFace,
    ECCV 2020, https://doi.org/10.1007/978-3-030-58621-8_43, equation 3. margin in radians; where angle + margin would
    pass pi the continuation cosine - margin sin(margin).
    embeddings [B, D] float, of any length; labels [B] int64 in 0…C-1, InputError otherwise -> scalar, float32 under
    autocast: the batch mean, 0 for an empty batch. `am_softmax` with `margin_type: arc` has more options.
    """

    def __init__(
        self,
        margin: Annotated[float, Ge(0), Lt(3.14), Field(description="radians that the target's angle grows by")] = 0.5,
        scale: Annotated[float, Gt(0), Field(description="factor of the cosines: inverse temperature")] = 64.0,
        label_smoothing: Smoothing = 0.0,
        sub_centers: Annotated[
            int,
            Ge(1),
            Field(description="directions of a class, of which the nearest counts; 3 for noisy labels"),
        ] = 1,
        *,
        embedding_dim: int,
        num_classes: int,
    ) -> None:
        super().__init__()
        self.margin, self.scale, self.label_smoothing = margin, scale, label_smoothing
        self.sub_centers, self.num_classes = sub_centers, num_classes
        self.classifier = CosineClassifier(embedding_dim, num_classes * sub_centers)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        require_classes(labels, self.num_classes)
        cosines, column = self.cosines(embeddings), labels[:, None]
        lowered = turned(cosines.gather(1, column), self.margin)  # [B, 1]
        logits = self.scale * cosines.scatter(1, column, lowered)
        losses = cross_entropy(logits.log_softmax(dim=1), labels, self.label_smoothing)
        return losses.sum() / max(len(losses), 1)

    def cosines(self, embeddings: Tensor) -> Tensor:
        """Cosines [B, C] to the nearest direction of each class."""
        found: Tensor = self.classifier(embeddings)
        if self.sub_centers == 1:
            return found
        # Directions of one class lie C columns apart: the largest of whole rows is found fastest.
        return found.view(-1, self.sub_centers, self.num_classes).max(dim=1).values

    def logits(self, embeddings: Tensor) -> Tensor:
        """Scaled cosines [B, C] without the margin, as a test would rank the classes."""
        return self.scale * self.cosines(embeddings)
