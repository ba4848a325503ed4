"""Softmax cross entropy over identities."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from reidctl.losses.cosine import directions
from reidctl.losses.cross_entropy import Penalty, Smoothing, cross_entropy, entropy, mean_of_positive
from reidctl.losses.labels import require_classes
from reidctl.losses.precision import widened, without_autocast

EVIDENCE = 5.0
"""Weight of the cross entropy against a confidence penalty, as in the original toolkit."""


class Softmax(nn.Module):
    """Cross entropy of a linear classifier with bias.

    Papers: label smoothing https://arxiv.org/abs/1512.00567, section 7; confidence penalty
    https://arxiv.org/abs/1701.06548. The classifier starts from Normal(0, 0.01) and bias 0.
    embeddings [B, D] float; labels [B] int64 in 0…C-1, InputError otherwise -> scalar, float32 under autocast: the
    batch mean. With a penalty a sample's loss is 5 cross entropy - penalty entropy, and the result the mean over the
    samples where that is positive, 0 when there is none. An empty batch gives 0.
    The original multiplied these logits by 30, the scale of its cosine classifier; here they are as they come.
    """

    def __init__(
        self,
        label_smoothing: Smoothing = 0.0,
        confidence_penalty: Penalty = 0.0,
        *,
        embedding_dim: int,
        num_classes: int,
    ) -> None:
        super().__init__()
        self.label_smoothing, self.confidence_penalty = label_smoothing, confidence_penalty
        self.classifier = nn.Linear(embedding_dim, num_classes)
        nn.init.normal_(self.classifier.weight, std=0.01)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return self.from_logits(self.logits(embeddings), labels)

    def logits(self, embeddings: Tensor) -> Tensor:
        """Outputs [B, C] of the classifier, unscaled."""
        with without_autocast(embeddings):
            embeddings = widened(embeddings)
            weight, bias = (parameter.to(embeddings.dtype) for parameter in self.classifier.parameters())
            return functional.linear(embeddings, weight, bias)

    def cosines(self, embeddings: Tensor) -> Tensor:
        """Cosines [B, C] to the weights of the classes."""
        with without_autocast(embeddings):
            embeddings = directions(embeddings)
            return embeddings @ directions(self.classifier.weight).to(embeddings.dtype).T

    def from_logits(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of logits [B, C], float32 or float64."""
        require_classes(labels, logits.shape[1])
        log_probabilities = logits.log_softmax(dim=1)
        losses = cross_entropy(log_probabilities, labels, self.label_smoothing)
        if self.confidence_penalty > 0:
            return mean_of_positive(EVIDENCE * losses - self.confidence_penalty * entropy(log_probabilities))
        return losses.sum() / max(len(losses), 1)
