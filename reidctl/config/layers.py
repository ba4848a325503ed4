"""Layers of values, later over earlier, and where each value in the end came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reidctl.config.reader import KeyPath, Mark, read_value
from reidctl.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from: the layer in the user's words, and its position when the layer is a file.

    text is what the user typed, where the layer gives values as text.
    """

    source: str
    mark: Mark | None = None
    text: str | None = None

    def __str__(self) -> str:
        return f"{self.source}:{self.mark[0]}:{self.mark[1]}" if self.mark else self.source


@dataclass(frozen=True, slots=True)
class Layer:
    """One source of values; text is what was typed where the layer is a single option or variable."""

    source: str
    values: dict[str, Any]
    marks: Mapping[KeyPath, Mark] = field(default_factory=dict)
    text: str | None = None

    def origin(self, path: KeyPath) -> Origin:
        """The origin of this layer's value at `path`."""
        return Origin(self.source, self.marks.get(path), self.text)


def set_layer(text: str) -> Layer:
    """The layer of one `--set key.path=value`, whose value is YAML; ConfigError where it is something else."""
    key, equals, value = text.partition("=")
    steps = key.strip().split(".")
    if not equals or not all(steps):
        raise ConfigError(f"--set {text}: not key=value", "write --set KEY=VALUE, an inner key as OUTER.KEY=VALUE")
    values: Any = read_value(value, f"--set {key}")
    for step in reversed(steps):
        values = {step: values}
    return Layer(f"--set {key}", values, text=value)


DEFAULT = Origin("default")


@dataclass(frozen=True, slots=True)
class Merged:
    """The values of all layers together, and the origin of each leaf."""

    values: dict[str, Any]
    origins: dict[KeyPath, Origin]

    def origin(self, path: KeyPath) -> Origin:
        """The origin of the value at `path`, or of the nearest value that holds it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.origins:
                return self.origins[path[:length]]
        return next((origin for known, origin in self.origins.items() if known[: len(path)] == path), DEFAULT)

    def place(self, path: KeyPath) -> str:
        """The value at `path` in the words of an error: its origin, and its key where the origin does not say it."""
        key, origin = ".".join(map(str, path)), str(self.origin(path)) if path else ""
        return key if not origin or origin == f"--set {key}" else f"{origin}: {key}"


def merge(layers: list[Layer]) -> Merged:
    """Lay each layer over those before it.

    Mappings merge key by key, lists and scalars replace; a mapping with whole numbers for keys, laid over a
    list, replaces single items; a part (a mapping with a `name`) whose name changes starts anew.
    """
    values: dict[str, Any] = {}
    origins: dict[KeyPath, Origin] = {}
    for layer in layers:
        values = _over(values, layer.values, (), layer, origins)
    return Merged(values, origins)


def _over(below: Any, above: Any, path: KeyPath, layer: Layer, origins: dict[KeyPath, Origin]) -> Any:
    if isinstance(above, dict):
        if isinstance(below, list) and above and all(key.isdecimal() for key in above):
            return _over_items(below, above, path, layer, origins)
        if isinstance(below, str) and "name" not in above and above:
            below = {"name": below}
        if isinstance(below, dict) and not _renamed(below, above):
            merged = {**below, **{k: _over(below.get(k), v, (*path, k), layer, origins) for k, v in above.items()}}
            if not merged:
                origins[path] = layer.origin(path)
            return merged
    _forget(path, origins)
    return _fresh(above, path, layer, origins)


def _over_items(
    below: list[Any], above: dict[str, Any], path: KeyPath, layer: Layer, origins: dict[KeyPath, Origin]
) -> Any:
    items = list(below)
    for key, value in above.items():
        index = int(key)
        if index >= len(items):
            place = ".".join(map(str, (*path, index)))
            raise ConfigError(f"{layer.source}: {place}: there are only {len(items)} items, counted from 0")
        items[index] = _over(items[index], value, (*path, index), layer, origins)
    return items


def _renamed(below: dict[str, Any], above: dict[str, Any]) -> bool:
    return "name" in below and "name" in above and below["name"] != above["name"]


def _forget(path: KeyPath, origins: dict[KeyPath, Origin]) -> None:
    for known in [known for known in origins if known[: len(path)] == path]:
        del origins[known]


def _fresh(value: Any, path: KeyPath, layer: Layer, origins: dict[KeyPath, Origin]) -> Any:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = {key: _fresh(child, (*path, key), layer, origins) for key, child in children}
    if not found:
        origins[path] = layer.origin(path)
        return value
    return found if isinstance(value, dict) else list(found.values())
