"""Mutual learning: losses of the distance between what networks that are trained side by side make of a batch.

peers and peer_logits hold one tensor for each of the other networks of `train.mutual`: its embeddings [B, Dₖ] and its
logits [B, C]. They are targets: a network is drawn to its peers, and they to it by their own loss.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from reidctl.losses.likeness import Temperature, divergence, likeness
from reidctl.losses.precision import widened


class MutualLogits(nn.Module):
    """Divergence between the class probabilities of a network's peers and its own.

    Paper: https://arxiv.org/abs/1706.00384, equations 5 and 8: the mean over the peers of the Kullback-Leibler
    divergence, which is the mean over the batch. Logits are those of the first loss that has any, the margin left out,
    divided by the temperature. The original toolkit has one target for all networks, their mean probabilities, and
    counts the cross entropy with it.
    embeddings are not looked at; logits [B, C] -> scalar, float32 or wider.
    """

    def __init__(self, temperature: Temperature = 1.0) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, embeddings: Tensor, labels: Tensor, *, logits: Tensor, peer_logits: Sequence[Tensor]) -> Tensor:
        own = (widened(logits) / self.temperature).log_softmax(dim=1)
        targets = [(widened(each.detach()) / self.temperature).log_softmax(dim=1) for each in peer_logits]
        return torch.stack([divergence(target.to(own.dtype), own) for target in targets]).mean()


class MutualSimilarities(nn.Module):
    """Divergence between the views that a network's peers and itself have of how alike the images of a batch are.

    That of `distill_similarities`, with each peer for a teacher, and the mean over them: mutual learning for networks
    without a classifier, or with classifiers that do not compare. Paper: https://arxiv.org/abs/1706.00384.
    embeddings [B, D] float, of any length -> scalar, float32 under autocast; 0 for one image.
    """

    def __init__(self, temperature: Temperature = 0.1) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, embeddings: Tensor, labels: Tensor, *, peers: Sequence[Tensor]) -> Tensor:
        own = likeness(embeddings, self.temperature)
        targets = [likeness(each.detach(), self.temperature) for each in peers]
        return torch.stack([divergence(target.to(own.dtype), own) for target in targets]).mean()
