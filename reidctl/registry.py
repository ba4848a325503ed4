"""Names in configurations and on the command line -> Python objects, through package entry points.

Built-in parts and those of third parties come through the same door: an entry point of the group
`reidctl.<kind>s`. Listing reads the metadata of installed packages and imports nothing; a part is
imported when it is asked for by name, so that a broken one disturbs nobody else.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import Distribution, EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from reidctl.errors import PluginError, ReidError, UnknownName, suggestion

if TYPE_CHECKING:
    from pydantic import BaseModel

    from reidctl.types import Spec

API_VERSION = 1
"""Version of the plugin contract; a package states the one it was written for in the group `reidctl.api`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One part as its package's metadata declares it.

    api is None where the package states no readable version of the plugin contract.
    """

    kind: str
    name: str
    package: str
    version: str
    target: str
    api: int | None
    point: EntryPoint

    @property
    def origin(self) -> str:
        """Package, version and target in the words of every error about this entry."""
        return f"{self.package} {self.version} ({self.target})"

    def require_api(self) -> None:
        """Raise PluginError unless the package was written for this version of the contract."""
        if self.api == API_VERSION:
            return
        stated = "states no plugin API version" if self.api is None else f"was written for plugin API {self.api}"
        raise PluginError(
            f"{self.kind} '{self.name}' from {self.origin}: the package {stated}, this is API {API_VERSION}",
            f'its pyproject.toml needs [project.entry-points."reidctl.api"] version = "v{API_VERSION}"'
            if self.api is None
            else f"install a version of {self.package} for plugin API {API_VERSION}",
        )

    def load(self) -> Any:
        """Import the part; PluginError names package, version, target and cause when that fails."""
        self.require_api()
        try:
            return self.point.load()
        except ReidError:
            raise
        except (Exception, SystemExit) as cause:
            reason = " ".join(f"{type(cause).__name__}: {cause}".split())
            raise PluginError(
                f"{self.kind} '{self.name}' from {self.origin} does not import: {reason}",
                f"reinstall or uninstall {self.package}; --debug shows the traceback",
            ) from cause


@cache
def _package(distribution: Distribution | None) -> tuple[str, str]:
    """Name and version; kept, because each look at them parses the package's metadata anew."""
    return (distribution.name, distribution.version) if distribution else ("unknown package", "?")


@cache
def _installed() -> dict[str, list[EntryPoint]]:
    """The entry points of our groups; kept, because every look at them reads the metadata of all packages anew."""
    points = entry_points()
    groups = ["reidctl.api", *(registry.group for registry in REGISTRIES)]
    return {group: list(points.select(group=group)) for group in groups}


@cache
def _api_versions() -> dict[str, int]:
    versions = {}
    for point in _installed()["reidctl.api"]:
        number = point.value.removeprefix("v")
        if point.name == "version" and number.isdecimal():
            versions[_package(point.dist)[0]] = int(number)
    return versions


class Registry:
    """The parts of one kind, from every installed package."""

    def __init__(self, kind: str, plural: str | None = None) -> None:
        self.kind = kind
        self.plural = plural or f"{kind}s"
        self.group = f"reidctl.{self.plural}"

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """Every declared part, sorted by name, then package; nothing is imported."""
        found = []
        for point in _installed()[self.group]:
            package, version = _package(point.dist)
            api = _api_versions().get(package)
            found.append(Entry(self.kind, point.name, package, version, point.value, api, point))
        return tuple(sorted(found, key=lambda entry: (entry.name, entry.package)))

    def names(self) -> list[str]:
        """Every name that can be asked for; `package:name` where two packages offer one name."""
        counts: dict[str, int] = {}
        for entry in self.entries:
            counts[entry.name] = counts.get(entry.name, 0) + 1
        return [entry.name if counts[entry.name] == 1 else f"{entry.package}:{entry.name}" for entry in self.entries]

    def find(self, name: str) -> Entry:
        """The one entry called `name` or `package:name`; UnknownName or PluginError (two offer it) otherwise."""
        package, _, short = name.rpartition(":")
        found = [entry for entry in self.entries if entry.name == short and package in ("", entry.package)]
        if len(found) == 1:
            return found[0]
        if found:
            packages = " and ".join(f"{entry.package} {entry.version}" for entry in found)
            raise PluginError(
                f"{self.kind} '{name}' is offered by {packages}",
                f"write {' or '.join(f'{entry.package}:{entry.name}' for entry in found)}",
            )
        listing = f"`reidctl {self.plural} list` shows all {len(self.entries)}"
        raise UnknownName(f"no {self.kind} named '{name}'", suggestion(name, self.names(), listing))

    def load(self, name: str) -> Any:
        """The object that `name` stands for, imported now."""
        return self.find(name).load()

    def parameters(self, name: str) -> type[BaseModel]:
        """The user's parameters of `name`: what stands left of the `*` in its signature, as a strict model."""
        from reidctl.validation import model_of_signature

        return model_of_signature(f"{self.kind} {name}", self._signature(name))

    def check(self, spec: Spec, at: str = "") -> dict[str, Any]:
        """The validated parameters of `spec`, defaults filled in; ConfigError names the key path below `at`."""
        from reidctl.validation import validate

        model = self.parameters(spec.name)
        checked = validate(model, spec.parameters, at=at or f"{self.kind} '{spec.name}'")
        return {key: getattr(checked, key) for key in model.model_fields}

    def build(self, spec: Spec, at: str = "", **given: Any) -> Any:
        """Call the part with the user's parameters and those of `given` that its signature asks for."""
        target, entry = self.load(spec.name), self.find(spec.name)
        wanted = [p for p in self._signature(spec.name).parameters.values() if p.kind is p.KEYWORD_ONLY]
        missing = [p.name for p in wanted if p.default is p.empty and p.name not in given]
        if missing:
            raise PluginError(
                f"{self.kind} '{spec.name}' from {entry.origin} asks for '{missing[0]}', which no {self.kind} is given",
                f"a {self.kind} may ask for: {', '.join(sorted(given)) or 'nothing'}",
            )
        parameters = self.check(spec, at)
        try:
            return target(**parameters, **{p.name: given[p.name] for p in wanted if p.name in given})
        except (ReidError, OSError, MemoryError):
            raise
        except Exception as cause:
            raise PluginError(
                f"{self.kind} '{spec.name}' from {entry.origin} cannot be built: {type(cause).__name__}: {cause}",
                "--debug shows the traceback",
            ) from cause

    def _signature(self, name: str) -> inspect.Signature:
        target: Callable[..., Any] = self.load(name)
        try:
            return inspect.signature(target, eval_str=True)
        except Exception as cause:
            origin = self.find(name).origin
            raise PluginError(f"{self.kind} '{name}' from {origin}: its signature cannot be read: {cause}") from cause


models = Registry("model")
datasets = Registry("dataset")
losses = Registry("loss", "losses")
transforms = Registry("transform")
runtimes = Registry("runtime")
presets = Registry("preset")
commands = Registry("command")

REGISTRIES = (models, datasets, losses, transforms, runtimes, presets, commands)
