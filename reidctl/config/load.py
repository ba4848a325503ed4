"""From presets, files, environment and options to one checked configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reidctl.config.environment import environment_layers
from reidctl.config.layers import Layer, Merged, merge
from reidctl.config.parts import parts
from reidctl.config.presets import preset_path, read_preset
from reidctl.config.reader import KeyPath, read_file, read_value
from reidctl.config.schema import RunConfig
from reidctl.errors import ConfigError, UnknownName
from reidctl.validation import Problem, first_of, problems


@dataclass(frozen=True, slots=True)
class Loaded:
    """A checked configuration, and the values as they were given with their origins."""

    config: RunConfig
    given: Merged



def load_config(
    preset: str | None = None,
    files: Sequence[Path] = (),
    sets: Sequence[str] = (),
    flags: Sequence[Layer] = (),
) -> Loaded:
    """The configuration of a run: `--set` > flags > environment > files (later wins) > preset > defaults.

    sets are `key.path=value` texts with YAML values. A file may name its preset itself. Every key, type and
    range is checked, and every part's name against what is installed; the parameters of parts are checked
    by `check_parts`, which imports them. ConfigError or UnknownName otherwise.
    """
    defaults = Layer("default", RunConfig().model_dump(mode="json"))
    typed = [_set_layer(text) for text in sets]
    merged = merge([defaults, *_file_layers(preset, files), *environment_layers(), *flags, *typed])
    found = problems(RunConfig, merged.values)
    if isinstance(found, list) and _keep_text(merged, found):
        found = problems(RunConfig, merged.values)
    if isinstance(found, list):
        raise first_of(found, merged.place(found[0].path))
    loaded = Loaded(found, merged)
    _check_names(loaded)
    return loaded


def _file_layers(preset: str | None, files: Sequence[Path]) -> list[Layer]:
    documents = [(path, read_file(path)) for path in files]
    for path, document in documents:
        named = document.values.get("preset")
        if named is None:
            continue
        if not isinstance(named, str):
            raise ConfigError(f"{path}: preset: should be a preset's name (got {named!r})")
        if preset not in (None, named):
            raise ConfigError(f"{path}: preset: '{named}' contradicts '{preset}'", "leave one of the two out")
        preset = named
    layers = [Layer(str(path), document.values, document.marks) for path, document in documents]
    if preset is None:
        return layers
    document = read_preset(preset)
    base = Layer(str(preset_path(preset)), {**document.values, "preset": preset}, document.marks)
    return [base, *layers]


def _set_layer(text: str) -> Layer:
    key, equals, value = text.partition("=")
    steps = key.strip().split(".")
    if not equals or not all(steps):
        raise ConfigError(f"--set {text}: not key=value", "write --set train.epochs=5")
    values: Any = read_value(value, f"--set {key}")
    for step in reversed(steps):
        values = {step: values}
    return Layer(f"--set {key}", values, text=value)


def _keep_text(merged: Merged, found: list[Problem]) -> bool:
    """Where text was wanted and a typed `0267` was read as a number, go back to what was typed."""
    changed = False
    for problem in found:
        origin = merged.origins.get(problem.path)
        if problem.wants_text and origin and origin.text is not None:
            _replace(merged.values, problem.path, origin.text)
            changed = True
    return changed


def _replace(values: Any, path: KeyPath, value: Any) -> None:
    for step in path[:-1]:
        values = values[step]
    values[path[-1]] = value


def _check_names(loaded: Loaded) -> None:
    for path, registry, spec in parts(loaded.config):
        try:
            registry.find(spec.name)
        except UnknownName as error:
            raise UnknownName(f"{loaded.given.place((*path, 'name'))}: {error}", error.hint) from error
