"""Names that tell things apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def distinct(names: Sequence[str]) -> list[str]:
    """The names in their order, one that comes again with -2, -3, … behind it, so that no two are alike."""
    taken, times = set(names), Counter[str]()
    found = []
    for name in names:
        times[name] += 1
        called = name
        while times[name] > 1 and (called := f"{name}-{times[name]}") in taken:
            times[name] += 1
        taken.add(called)
        found.append(called)
    return found
