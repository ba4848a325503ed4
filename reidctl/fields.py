"""The fields of a schema in words, for help texts and the generated reference."""

from __future__ import annotations

import inspect
import json
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Len, Lt, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

_PLAIN = {int: "whole number", float: "number", str: "text", bool: "true or false", Path: "path", type(None): "null"}


def field_rows(model: type[BaseModel], prefix: str = "") -> list[dict[str, Any]]:
    """One row per field, nested records flattened: name (dotted), type with range, default as JSON, meaning."""
    rows = []
    for name, field in model.model_fields.items():
        nested = field.annotation
        if inspect.isclass(nested) and issubclass(nested, BaseModel) and nested.model_config.get("extra") == "forbid":
            rows.extend(field_rows(nested, f"{prefix}{name}."))
            continue
        rows.append(
            {
                "name": f"{prefix}{name}",
                "type": type_text(field.annotation, field.metadata),
                "default": _default(field),
                "meaning": field.description or "",
            }
        )
    return rows


def type_text(annotation: Any, metadata: list[Any] | tuple[Any, ...] = ()) -> str:
    """`whole number ≥ 1`, `one of cos, arc`, `list of number > 0`, `path or null`."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_text(arguments[0], [*_flat(arguments[1:]), *metadata])
    if origin is Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin in (Union, types.UnionType):
        return " or ".join(type_text(argument, () if argument is type(None) else metadata) for argument in arguments)
    if origin in (tuple, list):
        inner = [type_text(argument) for argument in arguments if argument is not Ellipsis]
        listed = f"list of {inner[0]}" if origin is list or Ellipsis in arguments else f"[{', '.join(inner)}]"
        return " ".join([listed, *_ranges(metadata)])
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return (
            "part" if annotation.model_config.get("extra") == "allow" else f"{{{', '.join(annotation.model_fields)}}}"
        )
    return " ".join([_PLAIN.get(annotation, getattr(annotation, "__name__", str(annotation))), *_ranges(metadata)])


def _flat(metadata: tuple[Any, ...]) -> Iterator[Any]:
    for item in metadata:
        yield from item.metadata if isinstance(item, FieldInfo) else (item,)


def _ranges(metadata: list[Any] | tuple[Any, ...]) -> Iterator[str]:
    for item in metadata:
        match item:
            case Ge(ge=bound):
                yield f"≥ {bound}"
            case Gt(gt=bound):
                yield f"> {bound}"
            case Le(le=bound):
                yield f"≤ {bound}"
            case Lt(lt=bound):
                yield f"< {bound}"
            case Len(min_length=low, max_length=high):
                yield f"({low} to {high} items)"
            case MinLen(min_length=low):
                yield f"(at least {low})"
            case MaxLen(max_length=high):
                yield f"(at most {high})"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    return json.dumps(_plain(value), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
