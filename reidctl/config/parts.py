"""The parts that a configuration names, and the check of their parameters against their signatures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from reidctl.config.loaded import Loaded
from reidctl.config.names import placed
from reidctl.config.places import PLACES
from reidctl.config.schema import RunConfig
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


def check_parts(loaded: Loaded) -> None:
    """Import every named part and check its parameters; ConfigError for the first that does not fit."""
    for path, registry, spec in parts(loaded.config):
        with placed(path, loaded):
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
