"""From a YAML file of the original toolkit to a configuration, with an account of every key."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reidctl.config.legacy import weave
from reidctl.config.legacy.fates import Kept, NoCounterpartError, Woven
from reidctl.config.legacy.keys import ALIASES, KEYS, fate
from reidctl.config.legacy.losses import losses
from reidctl.config.legacy.settings import Settings, read_settings
from reidctl.config.legacy.transforms import transforms
from reidctl.config.ownership import owned
from reidctl.config.parts import parts
from reidctl.config.render import WIDTH, render
from reidctl.config.schema import RunConfig
from reidctl.errors import UnknownName, nearest
from reidctl.plugins import OWN
from reidctl.validation import first_of, problems, short

Account = tuple[str, Any, str]


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
    mapped: list[Account]
    dropped: list[Account]
    unknown: list[Unknown]
    notes: list[str]

    def text(self) -> str:
        """The configuration as YAML; behind it, as comments, what could not be converted."""
        return "".join(
            [
                *_comment(f"Converted from {self.where}"),
                "\n",
                render(self.values),
                *_listing(
                    "Without counterpart:", [(f"{key}: {short(value)}", why) for key, value, why in self.dropped]
                ),
                *_listing("Unknown:", [(str(item),) for item in self.unknown]),
                *_listing("Notes:", [(note,) for note in self.notes]),
            ]
        )


def convert(source: Path | str) -> Conversion:
    """Convert a file of the original toolkit, or YAML text; any revision, bases and keys given twice included.

    ConfigError where the file cannot be read, a value has the wrong type, or the outcome is no valid configuration.
    """
    settings = read_settings(source)
    values = owned(_values(settings), OWN)
    config = problems(RunConfig, values)
    if isinstance(config, list):
        raise first_of(config, ": ".join(part for part in (settings.where, config[0].key) if part))
    for path, kind, spec in parts(config):
        try:
            kind.find(spec.name)
        except UnknownName as error:
            settings.notes.append(f"{'.'.join(map(str, path))}: {error}; {error.hint}")
    mapped, dropped, unknown = _account(settings)
    return Conversion(settings.where, values, mapped, dropped, unknown, settings.notes)


WEAVES: tuple[tuple[Callable[[Settings], dict[str, Any]], tuple[str, ...]], ...] = (
    (weave.run_folder, ("data.save_dir",)),
    (weave.weights, ("model.load_weights",)),
    (weave.model, ("model.name",)),
    (losses, ("loss.name",)),
    (weave.data_sets, ("data.sources", "data.targets")),
    (transforms, ()),
    (weave.optimizer, ("train.optim",)),
    (weave.staged_rates, ("train.staged_lr",)),
    (weave.average, ("train.ema.enable",)),
    (weave.betas, ("adam.beta1", "adam.beta2")),
    (weave.schedule, ("train.lr_scheduler", "train.stepsize")),
    (weave.first_stage, ("train.fixbase_epoch",)),
    (weave.metric, ("test.dist_metric", "test.normalize_feature")),
    (weave.rerank, ("test.rerank",)),
)
"""What makes values of ours, and the keys that ask for them even where our default is the same."""


def _values(settings: Settings) -> dict[str, Any]:
    found: dict[str, Any] = {}
    defaults = RunConfig().model_dump(mode="json")
    for key, kept in KEYS.items():
        if isinstance(kept, Kept) and (key in settings.given or not kept.local):
            value = settings.value(key)
            try:
                _put(found, kept.ours, kept.rule(value) if kept.rule else value, defaults, key in settings.given)
            except NoCounterpartError as error:
                settings.drop(key, str(error))
    for make, keys in WEAVES:
        for path, value in make(settings).items():
            _put(found, path, value, defaults, any(key in settings.given for key in keys))
    return _in_order(found, defaults)


def _put(values: dict[str, Any], path: str, value: Any, defaults: dict[str, Any], asked: bool) -> None:
    """Set our value at `path`, unless nobody asked for it and it is our default anyway."""
    *above, last = path.split(".")
    for step in above:
        defaults = defaults[step]
    if asked or value != defaults[last]:
        for step in above:
            values = values.setdefault(step, {})
        values[last] = value


def _in_order(values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """The values in the order of the schema, sections as well."""
    sections = {key for key, value in values.items() if isinstance(value, dict) and "name" not in value}
    return {
        key: _in_order(values[key], defaults[key] or values[key]) if key in sections else values[key]
        for key in defaults
        if key in values
    }


def _account(settings: Settings) -> tuple[list[Account], list[Account], list[Unknown]]:
    mapped: list[Account] = []
    dropped: list[Account] = []
    unknown: list[Unknown] = []
    for key, item in settings.given.items():
        found = fate(key)
        if found is None:
            known = [name for name in (*KEYS, *ALIASES) if not name.endswith("*")]
            unknown.append(Unknown(item.spelling, item.value, nearest(item.spelling, known)))
        elif key in settings.lost:
            dropped.append((item.spelling, item.value, settings.lost[key]))
        elif isinstance(found, Kept) or (isinstance(found, Woven) and key in settings.read):
            mapped.append((item.spelling, item.value, found.ours))
        elif not settings.is_default(key):
            dropped.append((item.spelling, item.value, found.reason))
    return mapped, dropped, unknown


def _listing(title: str, items: list[tuple[str, ...]]) -> Iterator[str]:
    """A titled list in comment lines: of each item the first text, and the others below it, further in."""
    if items:
        yield f"\n# {title}\n"
    for texts in items:
        for depth, text in enumerate(texts, start=1):
            yield from _comment(text, "  " * depth)


def _comment(text: str, indent: str = "") -> Iterator[str]:
    # Keys and values may hold anything, a comment no control characters.
    shown = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
    for line in textwrap.wrap(shown, WIDTH, initial_indent=f"# {indent}", subsequent_indent=f"# {indent}  "):
        yield f"{line}\n"
