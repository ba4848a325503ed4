"""From a YAML file of the original toolkit to a configuration, with an account of every key."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reidctl import registry
from reidctl.config.legacy import weave
from reidctl.config.legacy.fates import Dropped, Kept, NoCounterpartError, Woven
from reidctl.config.legacy.keys import ALIASES, KEYS, fate
from reidctl.config.legacy.settings import Settings, read_settings
from reidctl.config.legacy.transforms import transforms
from reidctl.config.render import WIDTH, render
from reidctl.config.schema import RunConfig
from reidctl.errors import nearest
from reidctl.validation import first_of, problems, short


@dataclass(frozen=True, slots=True)
class Unknown:
    """A key that no revision of the original has."""

    key: str
    value: Any
    near: str | None

    def __str__(self) -> str:
        hint = f"; did you mean {self.near}?" if self.near else ""
        return f"{self.key}: {short(self.value)}: no revision of the original has this key{hint}"


@dataclass(frozen=True, slots=True)
class Conversion:
    """A configuration of ours, and what became of each key that the file gives.

    values: what differs from our defaults or stood in the file; a RunConfig takes them.
    mapped: (key, value, our key); dropped: (key, value, why there is no counterpart). A key without counterpart that
    only repeats the original's default is in neither.
    """

    where: str
    values: dict[str, Any]
    mapped: list[tuple[str, Any, str]]
    dropped: list[tuple[str, Any, str]]
    unknown: list[Unknown]
    notes: list[str]

    def text(self) -> str:
        """The configuration as YAML; behind it, as comments, what could not be converted."""
        losses = [f"{key}: {short(value)}\n  {reason}" for key, value, reason in self.dropped]
        return "".join(
            [
                f"# Converted from {' '.join(self.where.split())}\n\n",
                render(self.values),
                *_comment("Without counterpart:", losses),
                *_comment("Unknown:", [str(item) for item in self.unknown]),
                *_comment("Notes:", self.notes),
            ]
        )


def convert(source: Path | str) -> Conversion:
    """Convert a file of the original toolkit, or YAML text; any revision, bases and keys given twice included.

    ConfigError where the file cannot be read, a value has the wrong type, or the outcome is no valid configuration.
    """
    settings = read_settings(source)
    values = _values(settings)
    found = problems(RunConfig, values)
    if isinstance(found, list):
        raise first_of(found, ": ".join(part for part in (settings.where, found[0].key) if part))
    mapped, dropped, unknown = _account(settings)
    return Conversion(settings.where, values, mapped, dropped, unknown, settings.notes)


class _Values:
    """Our values, without those that nobody asked for and that are our defaults anyway."""

    def __init__(self, settings: Settings) -> None:
        self.found: dict[str, Any] = {}
        self._settings = settings
        self._defaults = RunConfig().model_dump(mode="json")

    def put(self, path: str, value: Any, *keys: str) -> None:
        """Set our value at `path`, which comes from the original's `keys`."""
        *above, last = path.split(".")
        default, place = self._defaults, self.found
        for step in above:
            default = default[step]
        if value != default[last] or any(key in self._settings.given for key in keys):
            for step in above:
                place = place.setdefault(step, {})
            place[last] = value

    def ordered(self) -> dict[str, Any]:
        """The values in the order of the schema."""
        return {key: _in_order(self.found[key], default) for key, default in self._defaults.items() if key in self.found}


def _in_order(value: Any, default: Any) -> Any:
    if not isinstance(value, dict) or not isinstance(default, dict) or "name" in default:
        return value
    return {key: _in_order(value[key], default[key]) for key in default if key in value}


def _values(settings: Settings) -> dict[str, Any]:
    values = _Values(settings)
    for key, found in KEYS.items():
        if isinstance(found, Kept) and (key in settings.given or not found.local):
            value = settings.value(key)
            try:
                values.put(found.ours, found.rule(value) if found.rule else value, key)
            except NoCounterpartError as error:
                settings.drop(key, str(error))
    for key, value in weave.run_folder(settings).items():
        values.put(key, value)
    if weights := settings.value("model.load_weights"):
        values.put("weights", weights)
    values.put("model", weave.model(settings), "model.name")
    values.put("losses", weave.losses(settings), "loss.name")
    for key in ("data.sources", "data.targets"):
        values.put(key, weave.data_sets(settings, key), key)
    values.put("data.transforms", transforms(settings))
    for key, value in {**weave.course(settings), **weave.test(settings)}.items():
        values.put(key, value)
    return values.ordered()
