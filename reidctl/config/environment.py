"""Environment variables as a layer of the configuration: `REIDCTL_TRAIN__EPOCHS=5` is `train.epochs: 5`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from reidctl.config.layers import Layer
from reidctl.config.reader import read_value
from reidctl.errors import ConfigError, nearest

if TYPE_CHECKING:
    from pydantic import BaseModel

PREFIX = "REIDCTL_"
OWN = frozenset({"DEBUG", "PLUGINS", "PLUGINS_STRICT", "PLUGIN_FILES", "TEST_DATA"})
"""Variables that steer the program, not a run."""


def environment_layers() -> list[Layer]:
    """One layer for each variable, in alphabetical order; ConfigError for one that names no key."""
    names = sorted(name for name in os.environ if name.upper().startswith(PREFIX))
    if not any(name.upper().removeprefix(PREFIX) not in OWN for name in names):
        # Nothing to read: leave the settings library, a third of a command's start, unimported.
        return []
    return _settings_layers(names)


def _settings_layers(names: list[str]) -> list[Layer]:
    from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

    from reidctl.config.schema import RunConfig

    class Environment(RunConfig, BaseSettings):
        # Strict, the source would turn text into paths and tuples by itself; `read_value` decides what a text is.
        model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", strict=False)

    class Source(EnvSettingsSource):
        def decode_complex_value(self, field_name: str, field: Any, value: Any) -> Any:
            return value

    layers = []
    for name in names:
        key = name.upper().removeprefix(PREFIX)
        head = key.split("__")[0].lower()
        if key in OWN:
            continue
        if head not in RunConfig.model_fields:
            _refuse_mistyped(name, key, RunConfig)
            continue
        source = Source(Environment)
        source.env_vars = {name.lower(): os.environ[name]}
        layers.append(Layer(name, _parsed(source(), name), text=os.environ[name]))
    return layers


def _refuse_mistyped(name: str, key: str, schema: type[BaseModel]) -> None:
    """ConfigError for a variable that was meant for a key; one that resembles none may be another program's."""
    path = key.lower().replace("__", ".")
    near = nearest(path.split(".")[0], schema.model_fields)
    if near or "." in path:
        raise ConfigError(f"{name}: no such key '{path}'", f"did you mean '{near}'?" if near else None)
    from reidctl.fields import field_rows

    inner = [row["name"] for row in field_rows(schema)]
    near = nearest(path, {known.rpartition(".")[2] for known in inner})
    if near:
        meant = [known for known in inner if known.endswith(f".{near}")]
        variables = " or ".join(PREFIX + known.upper().replace(".", "__") for known in meant)
        raise ConfigError(f"{name}: no such key '{path}'", f"did you mean {variables}?")


def _parsed(value: Any, where: str) -> Any:
    if isinstance(value, dict):
        return {key: _parsed(child, where) for key, child in value.items()}
    return read_value(value, where) if isinstance(value, str) else value
