"""Names in configurations and on the command line -> Python objects, through package entry points.

Built-in parts and those of third parties come through the same door: an entry point of the group
`reidctl.<kind>s`. Listing reads the metadata of installed packages and imports nothing; a part is
imported when it is asked for by name, so that a broken one disturbs nobody else.

An entry point called `timm/*` stands for a family: it offers every name `timm/<member>` (see `types.Family`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from reidctl.errors import PluginError, ReidError, UnknownName, nearest, suggestion
from reidctl.installed import EntryPoint, entry_points, package_of
from reidctl.packages import require_no_package_of_ours
from reidctl.plugins import Unpackaged, declared_points, is_left_out, off_stdout

if TYPE_CHECKING:
    from pydantic import BaseModel

    from reidctl.types import Family, Spec

API_VERSION = 1
"""Version of the plugin contract; a package states the one it was written for in the group `reidctl.api`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One part as its package's metadata declares it.

    api is None where the package states no readable version of the plugin contract. member is the part of a family
    that was asked for, None for the family itself and for any other part.
    """

    kind: str
    name: str
    package: str
    version: str
    target: str
    api: int | None
    point: EntryPoint
    member: str | None = None

    @property
    def is_family(self) -> bool:
        """Whether this is a family as a whole, which can be listed but not used as a part."""
        return self.member is None and self.name.endswith("/*")

    @property
    def is_disabled(self) -> bool:
        """Whether REIDCTL_PLUGINS leaves its package out."""
        return not isinstance(self.point.dist, Unpackaged) and is_left_out(self.package)

    @property
    def origin(self) -> str:
        """Package, version and target in the words of every error about this entry."""
        return f"{self.package} {self.version} ({self.target})"

    def fault(self, what: str) -> PluginError:
        """The error that this part breaks its contract; `what` says how, after its name and package."""
        return PluginError(
            f"{self.kind} '{self.name}' from {self.origin} {what}", f"`reidctl plugins check {self.name}` says more"
        )

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
        """Import the part, or the whole family; PluginError names package, version, target and cause when that fails.

        UnknownName where the family has no such member.
        """
        self.require_api()
        try:
            with off_stdout(f"{self.kind} '{self.name}' from {self.origin}", "on import"):
                target = self.point.load()
            if self.is_family:
                return self._checked(target)
            return target if self.member is None else self._made_by(self._checked(target), self.member)
        except ReidError:
            raise
        except (Exception, SystemExit) as cause:
            reason = " ".join(f"{type(cause).__name__}: {cause}".split())
            raise PluginError(
                f"{self.kind} '{self.name}' from {self.origin} does not import: {reason}",
                f"reinstall or uninstall {self.package}; --debug shows the traceback",
            ) from cause

    def _checked(self, target: Any) -> Family:
        if not (callable(target) and callable(getattr(target, "names", None))):
            raise PluginError(
                f"{self.kind} '{self.name}' from {self.origin}: no family",
                "the target of a name that ends in /* has names() and can be called with one of them",
            )
        family: Family = target
        return family

    def _made_by(self, family: Family, member: str) -> Any:
        try:
            return family(member)
        except KeyError as cause:
            known = list(family.names())
            if member in known:
                raise
            near, family_name = nearest(member, known), self.name.removesuffix(f"/{member}")
            command = f"reidctl {self.point.group.removeprefix('reidctl.')} list --family {family_name}"
            raise UnknownName(
                f"no {self.kind} named '{self.name}'",
                f"did you mean '{family_name}/{near}'?" if near else f"`{command}` shows all {len(known)}",
            ) from cause


@cache
def _installed() -> dict[str, list[EntryPoint]]:
    """The entry points of our groups; kept, because every look at them reads the metadata of all packages anew."""
    groups = [registry.group for registry in REGISTRIES]
    found: dict[str, list[EntryPoint]] = {group: [] for group in ["reidctl.api", *groups]}
    for point in [*entry_points(), *declared_points(groups)]:
        if point.group in found:
            found[point.group].append(point)
    return found


@cache
def _api_versions() -> dict[str, int]:
    versions = {}
    for point in _installed()["reidctl.api"]:
        number = point.value.removeprefix("v")
        if point.name == "version" and number.isdecimal():
            versions[package_of(point.dist)[0]] = int(number)
    return versions


class Registry:
    """The parts of one kind, from every installed package."""

    def __init__(self, kind: str, plural: str | None = None) -> None:
        self.kind = kind
        self.plural = plural or f"{kind}s"
        self.group = f"reidctl.{self.plural}"

    @cached_property
    def declared(self) -> tuple[Entry, ...]:
        """Every part in the metadata of a package, those of disabled ones too; nothing is imported."""
        found = []
        for point in _installed()[self.group]:
            package, version = package_of(point.dist)
            api = API_VERSION if isinstance(point.dist, Unpackaged) else _api_versions().get(package)
            found.append(Entry(self.kind, point.name, package, version, point.value, api, point))
        return tuple(sorted(found, key=lambda entry: (entry.name, entry.package)))

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """Every part that can be asked for, sorted by name, then package; nothing is imported."""
        return tuple(entry for entry in self.declared if not entry.is_disabled)

    def names(self) -> list[str]:
        """Every name that is declared, families as `timm/*`; `package:name` where two packages offer one name."""
        counts: dict[str, int] = {}
        for entry in self.entries:
            counts[entry.name] = counts.get(entry.name, 0) + 1
        return [entry.name if counts[entry.name] == 1 else f"{entry.package}:{entry.name}" for entry in self.entries]

    def find(self, name: str) -> Entry:
        """The one entry called `name` or `package:name`; UnknownName or PluginError (two offer it) otherwise.

        A name `timm/resnet50` that is no entry's own is a member of the family `timm/*`. Nothing is imported, so that
        only `load` knows whether the family has it.
        """
        found = _offering(name, self.entries)
        if len(found) == 1:
            return found[0]
        if found:
            packages = " and ".join(f"{entry.package} {entry.version}" for entry in found)
            raise PluginError(
                f"{self.kind} '{name}' is offered by {packages}",
                f"write {' or '.join(f'{entry.package}:{entry.name}' for entry in found)}",
            )
        self.require_not_elsewhere(name)
        listing = f"`reidctl {self.plural} list` shows all {len(self.entries)}"
        member = name.partition("/")[2]
        known = [f"{other[:-1]}{member}" if member and other.endswith("/*") else other for other in self.names()]
        raise UnknownName(f"no {self.kind} named '{name}'", suggestion(name, known, listing))

    def require_not_elsewhere(self, name: str) -> None:
        """UnknownName where REIDCTL_PLUGINS leaves `name` out, MissingPackage where a package of ours offers it."""
        if left_out := _offering(name, [entry for entry in self.declared if entry.is_disabled]):
            hint = f"REIDCTL_PLUGINS leaves out {left_out[0].package}, which offers it"
            raise UnknownName(f"no {self.kind} named '{name}'", hint)
        require_no_package_of_ours(self.plural, name)

    def find_part(self, name: str) -> Entry:
        """The entry called `name`; UnknownName also where that is a family as a whole, which is no part."""
        entry = self.find(name)
        if entry.is_family:
            family = name.removesuffix("/*")
            raise UnknownName(
                f"'{name}' is a family of {self.plural}, not one of them",
                f"`reidctl {self.plural} list --family {family}` names its members",
            )
        return entry

    def maker(self, part: object) -> str:
        """Who made an object, in the words of an error: the entry whose module its class is from, else that module."""
        module = part.__module__ if inspect.isroutine(part) else type(part).__module__
        for entry in self.entries:
            if entry.target.partition(":")[0] == module:
                return f"{self.kind} {type(part).__name__} from {entry.package} {entry.version} ({module})"
        return f"{self.kind} {type(part).__name__} ({module})"

    def members(self, family: str) -> list[str]:
        """Every name that the family `family/*` offers, in its own order; the family is imported."""
        loaded: Family = self.find(f"{family}/*").load()
        return [f"{family}/{member}" for member in loaded.names()]

    def load(self, name: str) -> Any:
        """The part that `name` stands for, imported now; UnknownName where a family has no such member."""
        return self.find_part(name).load()

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
            with off_stdout(f"{self.kind} '{spec.name}' from {entry.origin}", "when it is built"):
                return target(**parameters, **{p.name: given[p.name] for p in wanted if p.name in given})
        except (ReidError, OSError, MemoryError):
            raise
        except (Exception, SystemExit) as cause:
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


def _offering(name: str, entries: Iterable[Entry]) -> list[Entry]:
    """Those that `name` stands for: the entries of that name, else the families that it may be a member of."""
    package, _, short = name.rpartition(":")
    prefix, _, member = short.partition("/")
    offered = [entry for entry in entries if package in ("", entry.package)]
    found = [entry for entry in offered if entry.name == short]
    families = [entry for entry in offered if member and entry.name == f"{prefix}/*"]
    return found or [replace(entry, name=short, member=member) for entry in families]


models = Registry("model")
datasets = Registry("dataset")
losses = Registry("loss", "losses")
transforms = Registry("transform")
batch_transforms = Registry("batch_transform")
runtimes = Registry("runtime")
loggers = Registry("logger")
indexes = Registry("index", "indexes")
presets = Registry("preset")
commands = Registry("command")

REGISTRIES = (models, datasets, losses, transforms, batch_transforms, runtimes, loggers, indexes, presets, commands)
