"""What is wrong with a data set, one thing at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reidctl.errors import InputError

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong: its kind in a word or two, the file, sample or identity it is wrong with, what, and a remedy."""

    kind: str
    where: str
    what: str
    hint: str | None = None


Report = Callable[[Problem], None]
"""Takes what a reader of data sets cannot use; the reader goes on without it."""


def refuse(problem: Problem) -> None:
    """The Report of whoever wants none: raises InputError."""
    raise InputError(f"{problem.where}: {problem.what}", problem.hint)


def listed(problems: Sequence[Problem]) -> str:
    """The problems in one line, the first SHOWN of them in full."""
    shown = "; ".join(f"{problem.where}: {problem.what}" for problem in problems[:SHOWN])
    more = len(problems) - SHOWN
    return f"{shown}; and {more:,} more" if more > 0 else shown
