"""Axes of charts: which numbers are marked, and where a value lies."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`, named by `label`; ticks are (value, text), ascending."""

    label: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Where `value` lies, 0 at `low` and 1 at `high`; what is beyond either lies there."""
        low, high, value = self.low, self.high, min(max(value, self.low), self.high)
        if self.logarithmic:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        return (value - low) / (high - low)


def linear_axis(label: str, low: float, high: float, *, percent: bool = False) -> Axis:
    """Round ticks, about five, steps of 1, 2 or 5 times a power of ten (of percent with `percent`)."""
    if high <= low:
        high = low + 1.0
    step = 10.0 ** math.floor(math.log10((high - low) / 4))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (factor * step) <= 5.5)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    digits = max(0, -math.floor(math.log10(step * (100 if percent else 1)) + 1e-9))
    values = [number * step for number in range(first, last + 1)]
    texts = [f"{100 * value:.{digits}f} %" if percent else f"{value + 0.0:.{digits}f}" for value in values]
    return Axis(label, low, high, tuple(zip(values, texts, strict=True)))


def decade_axis(label: str, low: float, high: float) -> Axis:
    """Powers of ten from the one at or below `low` (above 0) to the one at or above `high`."""
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    last = max(last, first + 1)
    ticks = tuple((10.0**power, _power(power)) for power in range(first, last + 1))
    return Axis(label, 10.0**first, 10.0**last, ticks, logarithmic=True)


def _power(power: int) -> str:
    """A power of ten in per cent, with no exponent: 10^-4 is 0.01 %."""
    return f"{10.0 ** (power + 2):.{max(0, -power - 2)}f} %"
