"""What turns pooled features into an embedding, and its options."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge
from pydantic import Field
from torch import nn

EmbeddingDim = Annotated[
    Annotated[int, Ge(1)] | None,
    Field(description="length of the embedding; null: the pooled features are the embedding"),
]
Activation = Annotated[Literal["prelu", "relu"], Field(description="what the embedding passes last")]


def build_head(in_channels: int, embedding_dim: int, activation: Activation, dropout: float) -> nn.Sequential:
    """Linear layer, batch norm, activation and, where dropout is above 0, dropout: [B, in_channels] -> [B, D]."""
    last = nn.PReLU() if activation == "prelu" else nn.ReLU(inplace=True)
    head = nn.Sequential(nn.Linear(in_channels, embedding_dim), nn.BatchNorm1d(embedding_dim), last)
    return head.append(nn.Dropout(dropout)) if dropout else head
