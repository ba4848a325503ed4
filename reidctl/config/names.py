"""The names of the parts in a configuration, and what can be said of them without importing one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from reidctl import registry as registries
from reidctl.config.layers import Layer
from reidctl.config.loaded import Loaded
from reidctl.config.places import PLACES
from reidctl.errors import UnknownName

if TYPE_CHECKING:
    from reidctl.config.reader import KeyPath
    from reidctl.registry import Registry


def check_names(loaded: Loaded) -> None:
    """UnknownName for the first part that nobody offers; imports none, so that members of families are not checked."""
    for path, registry, name in _names(loaded):
        with placed(path, loaded):
            registry.find_part(name)


def _names(loaded: Loaded) -> Iterator[tuple[KeyPath, Registry, str]]:
    for place, registry in PLACES.items():
        path: KeyPath = place
        named: Any = loaded.values
        for step in place:
            named = named[step]
        if isinstance(named, list):
            yield from (((*path, index), registry, part["name"]) for index, part in enumerate(named))
        else:
            yield path, registry, named["name"]


def stated_layers(loaded: Loaded) -> list[Layer]:
    """What the model says that its weights expect of images, as a layer to lay over the defaults.

    Only members of families are asked: to ask any other model, every look at a configuration would import one.
    """
    path, name = ("model",), loaded.values["model"]["name"]
    if registries.models.find(name).member is None:
        return []
    with placed(path, loaded):
        expected = getattr(registries.models.load(name), "normalization", None)
    if expected is None:
        return []
    mean, std = expected
    return [Layer(f"model {name}", {"data": {"image": {"mean": list(mean), "std": list(std)}}})]


@contextmanager
def placed(path: KeyPath, loaded: Loaded) -> Iterator[None]:
    """Say of a name that is not known where it stands."""
    try:
        yield
    except UnknownName as error:
        raise type(error)(f"{loaded.given.place((*path, 'name'))}: {error}", error.hint) from error
