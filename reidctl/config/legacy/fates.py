"""What becomes of a key of the original toolkit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

UNSTATED: Any = object()
"""The default of a key that only some revisions had; no value equals it."""


class NoCounterpartError(Exception):
    """This value, of all that the key could have, has none here; the text says why."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The value stands under `ours`, as it is or as `rule` has it.

    local: it belongs to one machine or run, so the original's default is not carried over.
    """

    default: Any
    ours: str
    rule: Callable[[Any], Any] | None = None
    local: bool = False


@dataclass(frozen=True, slots=True)
class Woven:
    """The value goes into `ours` together with others; the original reads it only when `when` holds."""

    default: Any
    ours: str
    when: str = ""

    @property
    def reason(self) -> str:
        """Why the value is not in the outcome where the original would not have read it."""
        return f"read only where {self.when}"


@dataclass(frozen=True, slots=True)
class Dropped:
    """The value has no counterpart, for `reason`."""

    default: Any
    reason: str


Fate = Kept | Woven | Dropped


def under(section: str, fates: Mapping[str, Fate]) -> dict[str, Fate]:
    """The fates of the keys of one section, by their full names."""
    return {f"{section}.{key}": fate for key, fate in fates.items()}


def dropped(reason: str, **defaults: Any) -> dict[str, Fate]:
    """Keys that share the reason why they have no counterpart."""
    return {key: Dropped(default, reason) for key, default in defaults.items()}


def woven(ours: str, when: str = "", **defaults: Any) -> dict[str, Fate]:
    """Keys that go into one of ours together."""
    return {key: Woven(default, ours, when) for key, default in defaults.items()}


def one_of(words: Mapping[Any, Any]) -> Callable[[Any], Any]:
    """The rule of a key whose values are words."""

    def rule(value: Any) -> Any:
        if value not in words:
            raise NoCounterpartError(f"there is no {value} here")
        return words[value]

    return rule
