"""What installed packages declare: the entry points of our groups, and who declares them.

Every command looks at them, and an import of importlib.metadata, which brings a parser of e-mails, would be a tenth of
its time. So the folders on Python's path are read here, by the same rules; where something else may hold packages, an
archive or a finder of somebody's own, importlib.metadata is asked.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, reduce
from importlib import import_module
from importlib.machinery import PathFinder
from typing import Any, Protocol

PREFIX = "reidctl."
"""How our groups begin."""


class Package(Protocol):
    """An installed package; importlib.metadata's Distribution is one."""

    def read_text(self, filename: str) -> str | None:
        """A file of its metadata; None where there is none."""
        ...

    def __hash__(self) -> int: ...


@dataclass(frozen=True)
class EntryPoint:
    """A line of a package's metadata: `name = package.module:attribute` in a group."""

    name: str
    value: str
    group: str
    dist: Package | None = None

    @property
    def module(self) -> str:
        """What is imported for it."""
        return self.value.partition(":")[0].partition("[")[0].strip()

    def load(self) -> Any:
        """The module, or its attribute where one is named, imported now."""
        # Extras in brackets have no meaning any more.
        attributes = self.value.partition("[")[0].partition(":")[2].strip()
        return reduce(getattr, attributes.split(".") if attributes else (), import_module(self.module))


@dataclass(frozen=True)
class _Folder:
    """A package whose metadata are files."""

    path: str

    def read_text(self, filename: str) -> str | None:
        """A file of its metadata; None where there is none."""
        try:
            with open(os.path.join(self.path, filename), encoding="utf-8") as file:
                return file.read()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError):
            return None


def entry_points() -> Iterator[EntryPoint]:
    """Every entry point of our groups; of packages of one name those of the first on the path alone, as in an import.

    The declarations of other packages are read, and not parsed.
    """
    first: dict[str, Package] = {}
    for name, package in _in_folders() if _is_all_in_folders() else _anywhere():
        first.setdefault(name, package)
    for name in sorted(first):
        text = first[name].read_text("entry_points.txt") or ""
        if f"[{PREFIX}" in text:
            yield from _points(text, first[name])


def normalized(package: str) -> str:
    """The name of a package as PyPA compares it."""
    return re.sub(r"[-_.]+", "-", package.strip()).lower()


@cache
def package_of(distribution: Package | None) -> tuple[str, str]:
    """Name and version; kept, because each look at them reads the package's metadata anew."""
    text = distribution and (distribution.read_text("METADATA") or distribution.read_text("PKG-INFO"))
    # The standard library has a parser of e-mails read the whole description for these two lines at the top.
    head = dict(line.partition(": ")[::2] for line in (text or "").partition("\n\n")[0].splitlines())
    return head.get("Name", "unknown package"), head.get("Version", "?")


def _is_all_in_folders() -> bool:
    finders = [finder for finder in sys.meta_path if hasattr(finder, "find_distributions")]
    others = (place.endswith(".egg") or os.path.isfile(place) for place in map(str, sys.path))
    return finders == [PathFinder] and not any(others)


def _in_folders() -> Iterator[tuple[str, Package]]:
    for place in map(str, sys.path):
        try:
            names = os.listdir(place or ".")
        except (OSError, ValueError):
            continue
        for name in names:
            stem, dot, kind = name.lower().rpartition(".")
            if dot and kind in ("dist-info", "egg-info"):
                yield normalized(stem.partition("-")[0]), _Folder(os.path.join(place, name))


def _anywhere() -> Iterator[tuple[str, Package]]:
    from importlib.metadata import distributions

    return ((normalized(package_of(found)[0]), found) for found in distributions())


def _points(text: str, package: Package) -> Iterator[EntryPoint]:
    group = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1]
        elif group.startswith(PREFIX) and line and not line.startswith("#"):
            name, _, value = line.partition("=")
            yield EntryPoint(name.strip(), value.strip(), group, package)
