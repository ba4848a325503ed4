"""Agreement between several augmented copies of one image."""

from __future__ import annotations

from torch import Tensor, nn

from reidctl.losses.labels import same_label
from reidctl.losses.precision import without_autocast


class Mixing(nn.Module):
    """Cross entropy between what a classifier says of all copies of an image, on average, and of each of them.

    The mixing loss of the original toolkit. The average is taken of the probabilities and is not differentiated.
    embeddings and labels are not looked at; logits [B, C]: those of the run's first loss that classifies, without
    margins; indices [B] int64: the image that a row shows, so that rows with one index are copies -> scalar: the mean
    over the rows that have a copy in the batch, 0 where none has.
    """

    def __init__(self) -> None:
        super().__init__()

    def forward(self, embeddings: Tensor, labels: Tensor, *, logits: Tensor, indices: Tensor) -> Tensor:
        log_probabilities = logits.log_softmax(dim=1)
        copies = same_label(indices).to(log_probabilities.dtype)  # [B, B]
        count = copies.sum(dim=1)
        with without_autocast(logits):
            agreed = copies @ log_probabilities.detach().exp() / count[:, None]  # [B, C]
        losses = -(agreed * log_probabilities).sum(dim=1) * (count > 1)
        return losses.sum() / (count > 1).sum().clamp_min(1)
