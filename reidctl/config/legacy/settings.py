"""A YAML file of the original toolkit, read as the original reads it, with its defaults behind it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reidctl.config.legacy.fates import UNSTATED
from reidctl.config.legacy.keys import ALIASES, DEFAULTS, KEYS, PUBLISHED, fate, revision
from reidctl.config.reader import Document, KeyPath, read_file, read_text
from reidctl.errors import ConfigError
from reidctl.validation import short

BASE = "_base_"
LISTED = "data.transforms"
"""What torchreid has a list of names for, and its descendants sections."""

_SWITCHES = {"yes": True, "on": True, "no": False, "off": False}
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", list: "a list"}


@dataclass(frozen=True, slots=True)
class Given:
    """One value of the file, under the name that the file has for its key."""

    spelling: str
    value: Any
    place: str


class Settings:
    """What a file gives, and the original's defaults for the rest.

    Keys are the dotted names of February 2021, whatever the file calls them. What was asked for by `value` counts as
    carried over, unless `drop` says that it was not, after all.
    """

    def __init__(self, where: str, given: dict[str, Given], notes: list[str]) -> None:
        self.where, self.given, self.notes = where, given, notes
        self.revision = revision(item.spelling for item in given.values())
        if self.revision != PUBLISHED:
            notes.append(f"some keys are of {self.revision}: read with the defaults of that revision")
        self.read = {BASE}
        self.lost: dict[str, str] = {}

    def value(self, key: str) -> Any:
        """What the original would take: the file's value, of the type of the default, or the default."""
        self.read.add(key)
        default, item = self._default(key), self.given.get(key)
        value = default if item is None or item.value is None else _typed(item, default)
        return list(value) if isinstance(value, tuple) else value

    def drop(self, key: str, reason: str) -> None:
        """Say that the value of `key` has no counterpart; no news where the file does not give it."""
        self.lost[key] = reason

    def is_default(self, key: str) -> bool:
        """Whether the file only repeats what the original would take anyway."""
        default, value = self._default(key), self.given[key].value
        return value is None or bool(
            _decoded(value, default) == (list(default) if isinstance(default, tuple) else default)
        )

    def is_unset(self, key: str) -> bool:
        """Whether the file does not give `key`, or only repeats the default."""
        return key not in self.given or self.is_default(key)

    def _default(self, key: str) -> Any:
        found = fate(key)
        assert found is not None, key
        return DEFAULTS[self.revision].get(key, found.default)


def read_settings(source: Path | str) -> Settings:
    """The settings of a file, or of YAML text; ConfigError where it is no file of the original."""
    notes: list[str] = []
    if isinstance(source, Path):
        document = read_file(source, last_wins=True)
        return Settings(str(source), _with_base(document, source, (source.resolve(),), notes), notes)
    return Settings("text", _with_base(read_text(source, "text", last_wins=True), Path("text"), (), notes), notes)


def _with_base(document: Document, path: Path, above: tuple[Path, ...], notes: list[str]) -> dict[str, Given]:
    """The values of a file over those of the file that it names as its base, which lies beside it."""
    given = _flat(document, str(path), notes)
    base = given.pop(BASE, None)
    if base is None or base.value in (None, ""):
        return given
    if not isinstance(base.value, str):
        raise ConfigError(f"{base.place}: {BASE}: should be the path of one file (got {short(base.value)})")
    below = path.parent / base.value
    found = read_file(below, last_wins=True)
    if below.resolve() in above:
        raise ConfigError(f"{base.place}: {BASE}: {base.value} is a base of itself", "a chain of bases must end")
    notes.append(f"{path}: laid over its base {base.value}")
    return {**_with_base(found, below, (*above, below.resolve()), notes), **given, BASE: base}


def _flat(document: Document, where: str, notes: list[str]) -> dict[str, Given]:
    for path, (line, _) in document.repeats:
        notes.append(
            f"{where}:{line}: {'.'.join(map(str, path))} is given twice; the last value stands, as in the original"
        )
    given: dict[str, Given] = {}
    for path, value in _leaves(document.values, ()):
        key = ".".join(map(str, path))
        line, column = document.marks.get(path, (1, 1))
        item = Given(key, value, f"{where}:{line}:{column}")
        if any(known.startswith(f"{key}.") for known in KEYS):
            if key == LISTED and isinstance(value, list) and all(isinstance(name, str) for name in value):
                notes.append(f"{item.place}: {key} is a list, as in torchreid: taken with the original's parameters")
                given |= _switches(item, value)
            elif value not in (None, {}):
                raise ConfigError(f"{item.place}: {key}: should be keys and values (got {short(value)})")
            continue
        given[ALIASES.get(key, key)] = item
    return given


def _switches(item: Given, names: list[str]) -> dict[str, Given]:
    """A list of augmentations as the switches that it stands for; random_flip is on by default, so it may be off."""
    wanted = dict.fromkeys(["random_flip", *names], True) | {"random_flip": "random_flip" in names}
    found = {name: f"{item.spelling}.{name}.enable" for name in wanted}
    return {key: Given(key, wanted[name], item.place) for name, key in found.items()}


def _leaves(values: dict[str, Any], path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def _decoded(value: Any, default: Any) -> Any:
    """Text as a Python literal where it is one, as the original reads `(0, 10)` and `3e-4`; words for a switch."""
    if not isinstance(value, str) or isinstance(default, str):
        return value
    if isinstance(default, bool) and value.lower() in _SWITCHES:
        return _SWITCHES[value.lower()]
    try:
        found = ast.literal_eval(value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return value
    return list(found) if isinstance(found, tuple) else found


def _typed(item: Given, default: Any) -> Any:
    """The value as one of the type of `default`; a whole number will do for a number."""
    value = _decoded(item.value, default)
    if default is UNSTATED:
        return value
    if not _fits(value, default):
        raise ConfigError(f"{item.place}: {item.spelling}: should be {_expected(default)} (got {short(item.value)})")
    return float(value) if isinstance(default, float) else value


def _fits(value: Any, default: Any) -> bool:
    if isinstance(default, tuple):
        return isinstance(value, list) and len(value) == len(default) and all(map(_is_number, value))
    if isinstance(default, list):
        return isinstance(value, list) and (not default or isinstance(default[0], str) or all(map(_is_number, value)))
    return _is_number(value) if isinstance(default, float) else type(value) is type(default)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _expected(default: Any) -> str:
    return f"a list of {len(default)} numbers" if isinstance(default, tuple) else _WORDS[type(default)]
