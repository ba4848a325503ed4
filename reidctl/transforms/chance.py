"""What the augmentations draw, all of it from torch's global generator, and the types of what bounds the draws."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Le
from pydantic import AfterValidator, Field

Probability = Annotated[float, Ge(0), Le(1), Field(description="probability that an image is changed")]
Level = Annotated[int, Ge(0), Le(255)]
Color = tuple[Level, Level, Level]


def _rising(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"the first bound exceeds the second in {list(bounds)}")
    return bounds


Rising = AfterValidator(_rising)
"""Of a pair: smallest, then largest."""


def happens(probability: float) -> bool:
    """True with `probability`: never for 0, always for 1."""
    return torch.rand(()).item() < probability


def fractions(count: int) -> list[float]:
    """`count` numbers, each uniform in 0…1 (1 excluded)."""
    numbers: list[float] = torch.rand(count).tolist()
    return numbers


def integers(low: int, high: int, count: int) -> list[int]:
    """`count` whole numbers, each uniform in low…high, both included."""
    numbers: list[int] = torch.randint(low, high + 1, (count,)).tolist()
    return numbers


def between(bounds: tuple[float, float], fraction: float) -> float:
    """The number `fraction` of the way from the first bound to the second."""
    return bounds[0] + fraction * (bounds[1] - bounds[0])


def color() -> tuple[int, int, int]:
    """An RGB colour, each level uniform in 0…255."""
    red, green, blue = integers(0, 255, 3)
    return red, green, blue
