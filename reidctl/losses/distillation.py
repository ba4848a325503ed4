"""Distillation: losses of the distance between a network's view of a batch and its teacher's.

teacher [B, T] are the embeddings that the network of `train.teacher` has for the rows; teacher_dim is T. All but
`distill_cosine` compare how the images of a batch are related, which needs no embeddings of one length.
"""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from reidctl.errors import ConfigError
from reidctl.losses.cosine import directions, similarities
from reidctl.losses.likeness import Temperature, divergence, likeness, off_diagonal
from reidctl.losses.precision import widened, without_autocast

NEAREST = 1e-6
"""Squared distances below this count as this much: the root of 0 has no gradient."""


class DistillSimilarities(nn.Module):
    """Divergence between the teacher's and the network's probabilities that one image is taken for another.

    Paper: https://arxiv.org/abs/1803.10837, section 3.1, with a softmax of cosines for the kernel. Each row of the
    batch has a distribution over the others; the result is the mean Kullback-Leibler divergence.
    embeddings [B, D] float, teacher [B, T] float, of any length -> scalar, float32 under autocast; 0 for one image.
    """

    def __init__(self, temperature: Temperature = 0.1) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, embeddings: Tensor, labels: Tensor, *, teacher: Tensor) -> Tensor:
        target, own = (likeness(each, self.temperature) for each in (teacher.detach(), embeddings))
        return divergence(target.to(own.dtype), own)


class DistillRelations(nn.Module):
    """Relational distillation: the distances and angles between embeddings that the teacher sees.

    Paper: https://arxiv.org/abs/1904.05068, equations 5 to 9, between directions. Distances are divided by their mean
    over the batch; angles are the cosines at every image of the lines to every two others; both are compared by the
    Huber loss of width 1, averaged over pairs and triples of distinct images.
    embeddings [B, D] float, teacher [B, T] float, of any length -> scalar, float32 under autocast. Memory and time of
    the angles grow with B³: 1 MB each at B = 64, 67 MB at 256.
    """

    def __init__(
        self,
        distance: Annotated[float, Ge(0), Field(description="weight of the distances; 0 for none")] = 1.0,
        angle: Annotated[float, Ge(0), Field(description="weight of the angles; 0 for none")] = 2.0,
    ) -> None:
        super().__init__()
        if distance == angle == 0:
            raise ConfigError("distill_relations: distance and angle are both 0", "give one of them a weight above 0")
        self.distance, self.angle = distance, angle

    def forward(self, embeddings: Tensor, labels: Tensor, *, teacher: Tensor) -> Tensor:
        own, target = similarities(embeddings), similarities(teacher.detach())
        target = target.to(own.dtype)
        terms = []
        if self.distance:
            terms.append(self.distance * _mean_huber(_relative(_distances(own)), _relative(_distances(target))))
        if self.angle:
            terms.append(self.angle * _mean_huber(_angles(own), _angles(target)))
        return torch.stack(terms).sum()


class DistillGram(nn.Module):
    """Similarity-preserving distillation: the matrix of products between the embeddings of a batch.

    Paper: https://arxiv.org/abs/1907.09682, equations 2 to 4, on embeddings of unit length in the place of feature
    maps: the rows of both matrices of cosines are brought to unit length, and the result is the sum of the squared
    differences over B².
    embeddings [B, D] float, teacher [B, T] float, of any length -> scalar, float32 under autocast.
    """

    def __init__(self) -> None:
        super().__init__()

    def forward(self, embeddings: Tensor, labels: Tensor, *, teacher: Tensor) -> Tensor:
        own, target = (functional.normalize(similarities(each), dim=1) for each in (embeddings, teacher.detach()))
        return (own - target.to(own.dtype)).square().sum() / max(len(own) ** 2, 1)


class DistillCosine(nn.Module):
    """The mean of 1 - cosine between an embedding and its teacher's, by way of a learned linear map where D is not T.

    After https://arxiv.org/abs/1412.6550, section 2.2: the map brings the network's embeddings to the teacher's length
    and is left behind after training. With D = T there is none, and the network takes over the teacher's own space,
    so that the embeddings of both can be compared.
    embeddings [B, D] float, teacher [B, T] float, of any length -> scalar, float32 under autocast.
    """

    def __init__(self, *, embedding_dim: int, teacher_dim: int | None) -> None:
        super().__init__()
        if teacher_dim is None:
            raise ConfigError("distill_cosine needs a teacher", "set train.teacher.model")
        self.projection = (
            nn.Identity() if teacher_dim == embedding_dim else nn.Linear(embedding_dim, teacher_dim, bias=False)
        )

    def forward(self, embeddings: Tensor, labels: Tensor, *, teacher: Tensor) -> Tensor:
        with without_autocast(embeddings):
            own = directions(self._projected(widened(embeddings)))
            target = directions(teacher.detach()).to(own.dtype)
            return (1 - (own * target).sum(dim=1)).sum() / max(len(own), 1)

    def _projected(self, embeddings: Tensor) -> Tensor:
        if isinstance(self.projection, nn.Linear):
            return embeddings @ self.projection.weight.to(embeddings.dtype).T
        return embeddings


def _distances(cosines: Tensor) -> Tensor:
    """[B, B] cosines -> Euclidean distances [B, B] between the directions."""
    return (2 - 2 * cosines).clamp_min(NEAREST).sqrt()


def _relative(distances: Tensor) -> Tensor:
    """[B, B] -> [B, B - 1]: the distances between distinct images over their mean."""
    pairs = off_diagonal(distances)
    return pairs / (pairs.sum() / max(pairs.numel(), 1)).clamp_min(NEAREST)


def _angles(cosines: Tensor) -> Tensor:
    """[B, B] -> [B, B, B]: at image j, the cosine between the lines to i and to k; 0 where two of them are one."""
    distances = _distances(cosines)
    # (i - j)·(k - j) from the products of unit vectors: no differences of D numbers are made for B² pairs.
    products = cosines[:, None, :] - cosines[:, :, None] - cosines[None, :, :] + 1
    angles = products / (distances[:, :, None] * distances[None, :, :])
    same = torch.eye(len(cosines), dtype=torch.bool, device=cosines.device)
    return angles.masked_fill(same[:, :, None] | same[None, :, :] | same[:, None, :], 0)


def _mean_huber(own: Tensor, target: Tensor) -> Tensor:
    """The mean over all entries but the zeros that stand for no triple."""
    entries = own.numel() if own.ndim == 2 else len(own) * (len(own) - 1) * (len(own) - 2)
    return functional.smooth_l1_loss(own, target, reduction="sum") / max(entries, 1)
