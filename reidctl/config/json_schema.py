"""The JSON Schema of a configuration: the spine, and every registered part with its parameters."""

from __future__ import annotations

import logging
from typing import Any

from reidctl import registry as registries
from reidctl.config.places import PLACES
from reidctl.config.schema import RunConfig
from reidctl.errors import ReidError
from reidctl.registry import Registry

log = logging.getLogger(__name__)


def json_schema() -> dict[str, Any]:
    """Draft 2020-12. Imports every part; one that does not import is left without parameters and logged."""
    schema = RunConfig.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    # A file says only what differs from its preset and the defaults.
    schema.pop("required", None)
    definitions = schema["$defs"]
    for path, registry in PLACES.items():
        choices = f"{registry.kind}-part"
        if choices not in definitions:
            definitions[choices] = {"anyOf": [*_parts(registry, definitions), *_names(registry)]}
        holder = schema
        for step in path[:-1]:
            holder = definitions[holder["properties"][step]["$ref"].rsplit("/", 1)[1]]
        field = holder["properties"][path[-1]]
        reference = {"$ref": f"#/$defs/{choices}"}
        kept = {key: field[key] for key in ("description", "default") if key in field}
        many = field.get("type") == "array"
        holder["properties"][path[-1]] = kept | ({"type": "array", "items": reference} if many else reference)
    return schema


def _names(registry: Registry) -> list[dict[str, Any]]:
    """What may stand as text: a part's name."""
    plain = [name for name in registry.names() if not registry.find(name).is_family]
    families = [name for name in registry.names() if registry.find(name).is_family]
    return [*({"type": "string", **_member(name)} for name in families), {"enum": plain}]


def _member(family: str) -> dict[str, str]:
    return {"pattern": f"^{family.removesuffix('*').replace('.', '[.]')}."}


def _parts(registry: Registry, definitions: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for name in registry.names():
        family = registry.find(name).is_family
        properties: dict[str, Any] = {"name": _member(name) if family else {"const": name}}
        if registry is registries.losses:
            properties["weight"] = {"type": "number", "minimum": 0}
        part: dict[str, Any] = {"type": "object", "required": ["name"], "properties": properties}
        found.append(part)
        if family:
            # Each member has parameters of its own.
            continue
        try:
            own = registry.parameters(name).model_json_schema()
        except ReidError as error:
            log.warning("%s", error)
        else:
            definitions.update(own.pop("$defs", {}))
            properties.update(own.get("properties", {}))
            part["additionalProperties"] = False
            part["required"] += own.get("required", [])
    return found
