"""What a target must win by, and gradients of cosines."""

from __future__ import annotations

import math

from torch import Tensor

SMALLEST_SINE = 1e-3
"""Smaller sines count as this much: float32 knows 1 - cosine² to 1e-7 only, and the inverse of its root far worse."""


def turned(cosines: Tensor, margin: Tensor | float) -> Tensor:
    """Cosines of the angles that are `margin` radians, below pi, larger.

    ArcFace, https://arxiv.org/abs/1801.07698, equation 3; where angle + margin would pass pi, and the cosine rise
    again, the continuation cosine - margin sin(margin).
    """
    cosine, sine = (margin.cos(), margin.sin()) if isinstance(margin, Tensor) else (math.cos(margin), math.sin(margin))
    # The cosine of pi - margin is where the angle passes pi.
    return (cosines * cosine - _sines(cosines) * sine).where(cosines > -cosine, cosines - margin * sine)


def proportional(cosines: Tensor) -> Tensor:
    """The same cosines, with gradients multiplied by 1 / sine, at most by 1000.

    PR product, https://arxiv.org/abs/1904.07433. The original's factor is infinite where an embedding is its class.
    """
    # Zero plus the cosine: the difference carries the gradient, the detached term the value.
    values = cosines.detach()
    return values + (cosines - values) / _sines(values)


def _sines(cosines: Tensor) -> Tensor:
    return (1 - cosines.square()).clamp_min(SMALLEST_SINE**2).sqrt()
