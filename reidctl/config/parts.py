"""The parts that a configuration names, and the check of their parameters against their signatures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from reidctl import registry as registries
from reidctl.config.layers import Layer
from reidctl.config.loaded import Loaded
from reidctl.config.places import PLACES
from reidctl.config.schema import RunConfig
from reidctl.errors import UnknownName
from reidctl.validation import first_of, problems, validate

if TYPE_CHECKING:
    from reidctl.config.reader import KeyPath
    from reidctl.registry import Registry
    from reidctl.types import Spec


def parts(config: RunConfig) -> Iterator[tuple[KeyPath, Registry, Spec]]:
    """Every part that `config` names, with the key path it stands at."""
    for place, registry in PLACES.items():
        path: KeyPath = place
        named: Any = config
        for step in place:
            named = getattr(named, step)
        if isinstance(named, tuple):
            yield from (((*path, index), registry, spec) for index, spec in enumerate(named))
        else:
            yield path, registry, named


def check_names(loaded: Loaded) -> None:
    """UnknownName for the first part that nobody offers; imports none, so that members of families are not checked."""
    for path, registry, spec in parts(loaded.config):
        with _placed(path, loaded):
            registry.find_part(spec.name)


def stated_layers(loaded: Loaded) -> list[Layer]:
    """What the model says that its weights expect of images, as a layer to lay over the defaults.

    Only members of families are asked: to ask any other model, every look at a configuration would import one.
    """
    path, name = ("model",), loaded.config.model.name
    if registries.models.find(name).member is None:
        return []
    with _placed(path, loaded):
        expected = getattr(registries.models.load(name), "normalization", None)
    if expected is None:
        return []
    mean, std = expected
    return [Layer(f"model {name}", {"data": {"image": {"mean": list(mean), "std": list(std)}}})]


@contextmanager
def _placed(path: KeyPath, loaded: Loaded) -> Iterator[None]:
    """Say of a name that is not known where it stands."""
    try:
        yield
    except UnknownName as error:
        raise type(error)(f"{loaded.given.place((*path, 'name'))}: {error}", error.hint) from error


def check_parts(loaded: Loaded) -> None:
    """Import every named part and check its parameters; ConfigError for the first that does not fit."""
    for path, registry, spec in parts(loaded.config):
        with _placed(path, loaded):
            accepted = registry.parameters(spec.name)
        found = problems(accepted, spec.parameters, beside=type(spec).model_fields)
        if isinstance(found, list):
            raise first_of(found, loaded.given.place((*path, *found[0].path)))


def with_defaults(config: RunConfig) -> RunConfig:
    """`config` with every parameter of every part written out, as a run folder and a checkpoint keep it.

    ConfigError for a parameter that does not fit, as from `check_parts`, for configurations that were made in Python.
    """
    values = config.model_dump(mode="json")
    for path, registry, spec in parts(config):
        checked = validate(registry.parameters(spec.name), spec.parameters, at=".".join(map(str, path)))
        place: Any = values
        for step in path[:-1]:
            place = place[step]
        place[path[-1]].update(checked.model_dump(mode="json"))
    return RunConfig.model_validate_json(json.dumps(values))
