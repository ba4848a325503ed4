"""Ring loss."""

from typing import Annotated

import torch
from annotated_types import Gt
from pydantic import Field
from torch import Tensor, nn


class Ring(nn.Module):
    """Ring loss (https://arxiv.org/abs/1803.00130, equation 2): all embeddings have one length, which is learned.

    embeddings [B, D] float, labels [B] int64, which it does not look at -> scalar. To be listed beside a loss that
    tells people apart.
    """

    def __init__(
        self, radius: Annotated[float, Gt(0), Field(description="length of an embedding at the start")] = 10.0
    ) -> None:
        super().__init__()
        self.radius = nn.Parameter(torch.tensor(radius))

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        lengths: Tensor = torch.linalg.vector_norm(embeddings, dim=1)
        return (lengths - self.radius).square().mean() / 2
