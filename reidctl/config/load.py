"""From presets, files, environment and options to one checked configuration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reidctl.config.environment import environment_layers
from reidctl.config.layers import Layer, Merged, merge, set_layer
from reidctl.config.loaded import Loaded
from reidctl.config.names import check_names, stated_layers
from reidctl.config.ownership import owned
from reidctl.config.presets import preset_path, read_preset
from reidctl.config.reader import KeyPath, read_file, read_value
from reidctl.config.spine import canonical, defaults
from reidctl.errors import ConfigError
from reidctl.plugins import OWN
from reidctl.registry import presets

if TYPE_CHECKING:
    from reidctl.validation import Problem


def load_config(
    preset: str | None = None,
    files: Sequence[str | Path] = (),
    sets: Sequence[str] = (),
    flags: Sequence[Layer] = (),
    *,
    environment: bool = True,
) -> Loaded:
    """The configuration of a run; its `config` is what `reidctl.train` takes.

    `--set` > flags > environment > files (later wins) > preset > what the model's weights expect > defaults.
    environment: false for what variables are not to change, as a run that goes on. sets are `key.path=value` texts with
    YAML values. A file may name its preset itself. Every key, type and range is checked, and every part's name against
    what is installed; the parameters of parts are checked by `check_parts`, which imports them. ConfigError or
    UnknownName otherwise.
    """
    lowest = Layer("default", owned(defaults(), OWN))
    variables = environment_layers() if environment else []
    layers = [*map(_file_layer, map(Path, files)), *variables, *flags, *map(set_layer, sets)]
    given = [*_preset_layers(preset, layers), *layers]
    loaded = _merged([lowest, *given])
    check_names(loaded)
    stated = stated_layers(loaded)
    return _merged([lowest, *stated, *given]) if stated else loaded


def _merged(layers: list[Layer]) -> Loaded:
    merged = merge(layers)
    return Loaded(canonical(merged.values) or _checked(merged), merged)


def _checked(merged: Merged) -> dict[str, Any]:
    """The values by the schema itself; ConfigError for the first problem."""
    from reidctl.config.schema import RunConfig
    from reidctl.validation import first_of, problems

    found = problems(RunConfig, merged.values)
    if isinstance(found, list) and _keep_text(merged, found):
        found = problems(RunConfig, merged.values)
    if isinstance(found, list):
        raise first_of(found, merged.place(found[0].path))
    return found.model_dump(mode="json")


def _file_layer(path: Path) -> Layer:
    document = read_file(path)
    # What was written without a preset says so with a null; laid over one, it must not hide it.
    values = {key: value for key, value in document.values.items() if (key, value) != ("preset", None)}
    return Layer(str(path), values, document.marks)


def _preset_layers(preset: str | None, layers: Sequence[Layer]) -> list[Layer]:
    """The preset that is asked for, or that a layer names, as the layer below them all."""
    for layer in layers:
        named = layer.values.get("preset")
        if named is None:
            continue
        if not isinstance(named, str):
            raise ConfigError(f"{layer.source}: preset: should be a preset's name (got {named!r})")
        if preset not in (None, named):
            raise ConfigError(f"{layer.source}: preset: '{named}' contradicts '{preset}'", "leave one of the two out")
        preset = named
    if preset is None:
        return []
    document = read_preset(preset)
    values = owned(document.values, presets.find(preset).package)
    return [Layer(str(preset_path(preset)), {**values, "preset": preset}, document.marks)]


def _keep_text(merged: Merged, found: list[Problem]) -> bool:
    """Where text was wanted and a typed `0267` was read as a number, go back to what was typed."""
    changed = False
    for problem in found:
        origin = merged.origins.get(problem.path)
        if problem.wants_text and origin and origin.text is not None and _is_one_value(origin.text):
            _replace(merged.values, problem.path, origin.text)
            changed = True
    return changed


def _is_one_value(text: str) -> bool:
    """Whether it was typed for one key: of a list or of several keys, what was typed for each is not known."""
    return not isinstance(read_value(text, ""), dict | list)


def _replace(values: Any, path: KeyPath, value: Any) -> None:
    for step in path[:-1]:
        values = values[step]
    values[path[-1]] = value
