"""The spine of a configuration by its JSON Schema alone, for commands that look at one and train nothing.

The schema is pydantic's, in `schema.py`; importing it takes as long as everything else that such a command does.
`spine.json` is what it says of itself in a standard form, written by `python docs/generate.py`. What stands here takes
what is certainly right, and leaves every doubt, and so every error, to the schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from reidctl.config.agreement import contradiction

FILE = Path(__file__).with_name("spine.json")

Node = dict[str, Any]
"""A JSON Schema: of a record, or of one of its values."""

_MOST_BRACKETS = 150
"""More of them could lie in each other deeper than pydantic reads."""
_MOST_EXACT = 2**53
"""The whole numbers up to here are numbers of double precision."""


class _InDoubt(ValueError):
    """Not certainly right."""


def canonical(values: Mapping[str, Any]) -> dict[str, Any] | None:
    """`values` as a checked configuration has them in JSON, every default filled in; None where they may be wrong."""
    try:
        text = json.dumps(values, ensure_ascii=False, allow_nan=False)
        # A character that is none cannot be encoded.
        text.encode()
        if text.count("[") + text.count("{") > _MOST_BRACKETS:
            return None
        found: dict[str, Any] = _taken(spine(), json.loads(text))
        attributes = json.loads(json.dumps(found), object_hook=lambda record: SimpleNamespace(**record))
        return found if contradiction(attributes) is None else None
    except (TypeError, ValueError, RecursionError):
        return None


def defaults() -> dict[str, Any]:
    """The configuration of which nothing is given."""
    found: dict[str, Any] = _taken(spine(), {})
    return found


@cache
def spine() -> Node:
    """The schema of the whole configuration."""
    schema: Node = json.loads(FILE.read_bytes())
    return schema


def record_at(path: tuple[str | int, ...]) -> Node | None:
    """The schema of the record that stands at `path`, if one may; a list of records is none."""
    record: Node | None = spine()
    listed = False
    for step in path:
        if isinstance(step, int):
            listed = False
            continue
        field = record["properties"].get(step) if record is not None and not listed else None
        listed = field is not None and field.get("type") == "array"
        record = _record_in(field) if field is not None else None
    return None if listed else record


def is_part(record: Node) -> bool:
    """Whether a record is a part, whose parameters are its own."""
    return bool(record["additionalProperties"])


def _record_in(field: Node) -> Node | None:
    """The record that a value of this schema may hold, itself or as an item."""
    if "$ref" in field:
        return _referred(field)
    inner = [*field.get("anyOf", ()), *([field["items"]] if "items" in field else [])]
    return next((record for record in map(_record_in, inner) if record), None)


def _referred(field: Node) -> Node:
    record: Node = spine()["$defs"][field["$ref"].rpartition("/")[2]]
    return record


def _taken(schema: Node, value: Any) -> Any:
    """`value` in the form of this schema; _InDoubt where it has none for certain."""
    if "$ref" in schema:
        schema = _referred(schema)
    if "anyOf" in schema:
        return _taken_by_one(schema["anyOf"], value)
    found = _KINDS[schema["type"]](schema, value)
    if not all(holds(schema[word], found) for word, holds in _BOUNDS.items() if word in schema):
        raise _InDoubt
    return found


def _taken_by_one(schemas: list[Node], value: Any) -> Any:
    for schema in schemas:
        try:
            return _taken(schema, value)
        except _InDoubt:
            continue
    raise _InDoubt


def _record(schema: Node, value: Any) -> dict[str, Any]:
    if isinstance(value, str) and is_part(schema):
        value = {"name": value}
    if not isinstance(value, dict):
        raise _InDoubt
    properties = schema["properties"]
    others = {key: child for key, child in value.items() if key not in properties}
    if others and not is_part(schema):
        raise _InDoubt
    return {key: _field(field, key, value) for key, field in properties.items()} | others


def _field(schema: Node, key: str, record: Node) -> Any:
    if key not in record and "default" not in schema:
        raise _InDoubt
    return _taken(schema, record[key] if key in record else schema["default"])


def _list(schema: Node, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise _InDoubt
    each = schema.get("prefixItems") or [schema["items"]] * len(value)
    if len(each) != len(value):
        raise _InDoubt
    return [_taken(item, child) for item, child in zip(each, value, strict=True)]


def _text(schema: Node, value: Any) -> str:
    if not isinstance(value, str):
        raise _InDoubt
    return str(Path(value)) if schema.get("format") == "path" else value


def _number(schema: Node, value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or abs(value) > _MOST_EXACT:
        raise _InDoubt
    return float(value)


def _exactly(kind: type) -> Callable[[Node, Any], Any]:
    def taken(schema: Node, value: Any) -> Any:
        if type(value) is not kind:
            raise _InDoubt
        return value

    return taken


_KINDS: dict[str, Callable[[Node, Any], Any]] = {
    "object": _record,
    "array": _list,
    "string": _text,
    "number": _number,
    "integer": _exactly(int),
    "boolean": _exactly(bool),
    "null": _exactly(type(None)),
}
_BOUNDS: dict[str, Callable[[Any, Any], bool]] = {
    "minimum": lambda bound, value: value >= bound,
    "exclusiveMinimum": lambda bound, value: value > bound,
    "maximum": lambda bound, value: value <= bound,
    "exclusiveMaximum": lambda bound, value: value < bound,
    "minItems": lambda bound, value: len(value) >= bound,
    "maxItems": lambda bound, value: len(value) <= bound,
    "minLength": lambda bound, value: len(value) >= bound,
    "pattern": lambda pattern, value: value.isascii() and re.fullmatch(pattern, value) is not None,
    "enum": lambda choices, value: value in choices,
    "const": lambda choice, value: value == choice,
}
READ = frozenset(
    {*_BOUNDS, "$ref", "$defs", "anyOf", "type", "items", "prefixItems", "format", "properties", "default"}
)
"""The words of JSON Schema that a value is judged by."""
