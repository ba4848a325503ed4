"""Names that a file of ours gives keep meaning our parts, even where another package has come to offer the same ones.

A name that two packages offer is refused where a user writes it. A preset, a checkpoint or the defaults cannot be told
to write `reidctl:triplet`, and when they were written the name was that of one package alone.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reidctl.config.places import PLACES
from reidctl.plugins import OWN
from reidctl.registry import Registry

if TYPE_CHECKING:
    from reidctl.config.schema import RunConfig


def owned(values: dict[str, Any], package: str) -> dict[str, Any]:
    """`values` in which each name that `package` and others offer is `package:name`."""
    found = dict(values)
    for (section, *rest), registry in PLACES.items():
        inner = found.get(section)
        if not rest and inner is not None:
            found[section] = _owned(inner, registry, package)
        elif rest and isinstance(inner, dict) and rest[0] in inner:
            found[section] = {**inner, rest[0]: _owned(inner[rest[0]], registry, package)}
    return found


def _owned(item: Any, registry: Registry, package: str) -> Any:
    if isinstance(item, list | tuple):
        return [_owned(each, registry, package) for each in item]
    if isinstance(item, dict) and isinstance(item.get("name"), str):
        return {**item, "name": _owned(item["name"], registry, package)}
    if not isinstance(item, str):
        return item
    offered = {entry.package for entry in registry.entries if entry.name == item}
    return f"{package}:{item}" if len(offered) > 1 and package in offered else item


def read_stored(text: str) -> RunConfig:
    """The configuration in a checkpoint or the state of a run; pydantic's ValidationError where it is none."""
    from reidctl.config.schema import RunConfig

    try:
        values = json.loads(text)
    except ValueError:
        values = None
    return RunConfig.model_validate_json(json.dumps(owned(values, OWN)) if isinstance(values, dict) else text)
