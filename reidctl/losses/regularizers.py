"""Losses of the network's convolutions, whatever they see; 0 for a network without any that learn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import torch
from annotated_types import Ge, Le
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from reidctl.losses.cross_entropy import mean_of_positive
from reidctl.losses.filters import filters, stacked
from reidctl.losses.precision import without_autocast

SMALLEST = 1e-12
LEAST_NORM = 0.5
"""Filters are not drawn to a norm below this."""


class FilterOrthogonality(nn.Module):
    """Spread of the filters' singular values: the squared gap between the extreme eigenvalues of their products.

    After https://arxiv.org/abs/1810.09102, section 3.4. Of a layer with filters W [S, N] the extreme eigenvalues of
    W Wᵀ are Rayleigh quotients after two multiplications, the smallest by way of W Wᵀ less the largest. They start from
    ones, where the original starts from random numbers: the loss is the same each time. Its weight is 10 times the
    original's beta. embeddings and labels are not looked at; model: its convolutions that learn -> scalar, the
    mean over the layers whose loss is not 0.
    """

    def __init__(self) -> None:
        super().__init__()

    def forward(self, embeddings: Tensor, labels: Tensor, *, model: nn.Module) -> Tensor:
        with without_autocast(embeddings):
            return _mean(map(_gap, stacked(matrix for matrix, _ in filters(model, gates=True))), embeddings)


class FilterNorms(nn.Module):
    """Differences between the norms of a layer's filters, the following batch norm taken in.

    From the original toolkit. A layer whose largest norm is less than max_ratio times its smallest and whose median
    norm is above 0.5 costs nothing; any other the mean of (norm - max(0.5, median))². embeddings and labels are not
    looked at; model: its convolutions that learn -> scalar, the mean over the layers whose loss is not 0.
    """

    def __init__(
        self,
        max_ratio: Annotated[float, Ge(1), Field(description="largest norm over smallest that costs nothing")] = 10.0,
    ) -> None:
        super().__init__()
        self.max_ratio = max_ratio

    def forward(self, embeddings: Tensor, labels: Tensor, *, model: nn.Module) -> Tensor:
        with without_autocast(embeddings):
            layers = stacked(_normalized(matrix, norm) for matrix, norm in filters(model, gates=True))
            return _mean((self._deviation(layer) for layer in layers), embeddings)

    def _deviation(self, layers: Tensor) -> Tensor:
        norms = layers.square().sum(dim=2).clamp_min(SMALLEST).sqrt()  # [L, S]
        median = norms.median(dim=1, keepdim=True).values
        even = (norms.amax(dim=1) < self.max_ratio * norms.amin(dim=1)) & (median[:, 0] > LEAST_NORM)
        return (norms - median.clamp_min(LEAST_NORM)).square().mean(dim=1).masked_fill(even, 0)


class FilterCorrelation(nn.Module):
    """Cosines between the filters of a layer, as far as they exceed a threshold.

    From the original toolkit, which means to leave out the channel gates and, by a slip, visits nothing else; here they
    are left out. Layers with more filters than a filter has weights, which cannot be orthogonal, are left out too. A
    layer costs the mean of (|cosine| - max_cosine)² over the pairs above the threshold. embeddings and labels are not
    looked at; model: its convolutions that learn -> scalar, the mean over the layers whose loss is not 0.
    """

    def __init__(
        self,
        max_cosine: Annotated[
            float, Ge(0), Le(1), Field(description="absolute cosine between two filters that costs nothing")
        ] = 0.5,
    ) -> None:
        super().__init__()
        self.max_cosine = max_cosine

    def forward(self, embeddings: Tensor, labels: Tensor, *, model: nn.Module) -> Tensor:
        with without_autocast(embeddings):
            matrices = (matrix for matrix, _ in filters(model, gates=False))
            layers = stacked(matrix for matrix in matrices if matrix.shape[0] <= matrix.shape[1])
            return _mean(map(self._excess, layers), embeddings)

    def _excess(self, layers: Tensor) -> Tensor:
        units = functional.normalize(layers, dim=2)
        above = ((units @ units.mT).abs() - self.max_cosine).relu().square().triu(1)  # [L, S, S]
        return above.sum(dim=(1, 2)) / (above > 0).sum(dim=(1, 2)).clamp_min(1)


def _gap(layers: Tensor) -> Tensor:
    """Filters [L, S, N] -> [L]: the squared gap between the extreme eigenvalues of every S x S product."""
    largest = _eigenvalue(layers, layers.new_zeros(len(layers)))
    return (largest - _eigenvalue(layers, largest)).square()


def _eigenvalue(layers: Tensor, shift: Tensor) -> Tensor:
    """[L]: of the products less `shift` [L] times the identity the largest in magnitude, plus `shift`."""
    once = _multiplied(layers, shift, layers.new_ones(*layers.shape[:2], 1))
    twice = _multiplied(layers, shift, once)
    return (once * twice).sum(dim=(1, 2)) / once.square().sum(dim=(1, 2)).clamp_min(SMALLEST) + shift


def _multiplied(layers: Tensor, shift: Tensor, vectors: Tensor) -> Tensor:
    # Two products with a vector cost a fraction of the product of the filters.
    return layers @ (layers.mT @ vectors) - shift[:, None, None] * vectors


def _normalized(matrix: Tensor, norm: nn.BatchNorm2d | None) -> Tensor:
    if norm is None or norm.running_var is None:
        return matrix
    scale = (norm.running_var + norm.eps).rsqrt()
    if norm.affine:
        scale = scale * norm.weight
    return matrix * scale.to(matrix.dtype)[:, None]


def _mean(losses: Iterable[Tensor], embeddings: Tensor) -> Tensor:
    found = list(losses)
    return mean_of_positive(torch.cat(found)) if found else embeddings.new_zeros(())
