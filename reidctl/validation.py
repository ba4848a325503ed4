"""Strict validation with messages that name the key path, the value and the nearest key."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from reidctl.errors import ConfigError, PluginError, nearest

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

Path = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)

_STRICT = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, arbitrary_types_allowed=True)

_WORDS = {
    "Input ": "",
    "Tuple should": "should",
    " after validation": "",
    "a valid array": "a list",
    "an object": "keys and values",
    "a valid i": "an i",
    "a valid ": "a ",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a value: where, what, what to do about it, and whether text would have been right."""

    path: Path
    message: str
    hint: str | None = None
    wants_text: bool = False

    @property
    def key(self) -> str:
        """The path in the spelling of `--set`: `losses.0.margin`."""
        return ".".join(map(str, self.path))


def validate(model: type[Model], values: Mapping[str, Any], at: str = "") -> Model:
    """`values` as a `model`; ConfigError for the first problem, its key path below `at`."""
    found = problems(model, values)
    if not isinstance(found, list):
        return found
    where = ".".join(part for part in (at, found[0].key) if part)
    raise first_of(found, where)


def first_of(found: list[Problem], where: str) -> ConfigError:
    """The first problem as an error that opens with `where` and counts the others."""
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return ConfigError(": ".join(part for part in (where, found[0].message + more) if part), found[0].hint)


def problems(model: type[Model], values: Mapping[str, Any], beside: Iterable[str] = ()) -> Model | list[Problem]:
    """`values` as a `model`, or everything that is wrong with them.

    Values are judged as JSON: a list may stand for a tuple and text for a path, but no text for a
    number, no number for a switch. beside: keys that may stand beside these, which a mistyped one may mean.
    """
    try:
        return model.model_validate_json(json.dumps(values))
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=True)
        return _united([_problem(model, values, details, tuple(beside)) for details in errors])
    except (TypeError, ValueError, RecursionError) as error:
        return [Problem((), f"not plain data: {error}")]


def _problem(
    model: type[BaseModel], values: Mapping[str, Any], details: ErrorDetails, beside: tuple[str, ...]
) -> Problem:
    path = _given_path(values, details)
    if details["type"] == "extra_forbidden":
        *head, key = path
        known = [*_keys_at(model, tuple(head)), *(() if head else beside)]
        near = nearest(str(key), known)
        return Problem(
            path, "no such key", f"did you mean '{near}'?" if near else f"known here: {', '.join(known) or 'nothing'}"
        )
    if details["type"] == "missing":
        return Problem(path, "missing, and it has no default")
    message = details["msg"].removeprefix("Value error, ").removeprefix("Input ")
    for pydantic_word, word in _WORDS.items():
        message = message.replace(pydantic_word, word)
    value = details["input"]
    shown = "" if isinstance(value, dict) else f" (got {short(value)})"
    near = nearest(value, _choices(details)) if isinstance(value, str) else None
    hint = f"did you mean '{near}'?" if near else _meaning(model, path)
    return Problem(path, f"{message[:1].lower()}{message[1:]}{shown}", hint, details["type"] == "string_type")


def _united(found: list[Problem]) -> list[Problem]:
    """`found`, but as one what pydantic tells of every member of a union: should be this or that."""
    of_keys: dict[Path, list[Problem]] = {}
    for problem in found:
        of_keys.setdefault(problem.path, []).append(problem)
    return [reduce(_either, problems) for problems in of_keys.values()]


def _either(one: Problem, other: Problem) -> Problem:
    wanted, got, value = one.message.partition(" (got ")
    also = other.message.partition(" (got ")[0].removeprefix("should be ")
    return Problem(
        one.path, f"{wanted} or {also}{got}{value}", one.hint or other.hint, one.wants_text or other.wants_text
    )


def _given_path(values: Any, details: ErrorDetails) -> Path:
    """Where the problem is in `values`: pydantic also puts the members of unions that it tried into its path."""
    *_, last = details["loc"] or ("",)
    path: list[str | int] = []
    for part in details["loc"]:
        keys = values if isinstance(values, Mapping) else range(len(values)) if isinstance(values, list) else ()
        inside = part in keys
        if inside:
            values = values[part]
        if inside or (part == last and details["type"] == "missing"):
            path.append(part)
    return tuple(path)


def _choices(details: ErrorDetails) -> list[str]:
    expected = str(details.get("ctx", {}).get("expected", ""))
    return [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")] if expected else []


def short(value: object) -> str:
    """A value as an error shows it: on one line, cut where it is long."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except ValueError:
        # A whole number of thousands of digits cannot be written out.
        text = type(value).__name__
    return text if len(text) <= 60 else f"{text[:57]}…"


def _meaning(model: type[BaseModel], path: Path) -> str | None:
    """What the key at `path` below `model` is for and what it is where nobody says, as far as the model tells."""
    *head, key = [part for part in path if isinstance(part, str)] or [""]
    field = _fields_at(model, tuple(head)).get(key)
    if field is None or not field.description:
        return None
    default = f"; {short(field.default)} by default" if isinstance(field.default, str | int | float) else ""
    return f"{key} is for: {field.description}{default}"


def _keys_at(model: type[BaseModel], path: Path) -> list[str]:
    """The keys that the record at `path` below `model` may have."""
    return list(_fields_at(model, path))


def _fields_at(model: type[BaseModel], path: Path) -> dict[str, FieldInfo]:
    here: Any = model
    for part in path:
        if isinstance(part, int):
            continue
        field = here.model_fields.get(part)
        found = list(models_in(field.annotation)) if field is not None else []
        if not found:
            return {}
        here = found[0]
    return dict(here.model_fields)


def models_in(annotation: Any) -> Iterable[type[BaseModel]]:
    """Every record that a value of this type may hold: those in `tuple[Spec, ...] | None`."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


def model_of_signature(label: str, signature: inspect.Signature) -> type[BaseModel]:
    """A strict model whose fields are the parameters left of the `*`.

    Raises PluginError where a parameter has no annotation that a value can be checked against.
    """
    fields: dict[str, Any] = {}
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY:
            continue
        if parameter.kind is not parameter.POSITIONAL_OR_KEYWORD or parameter.annotation is parameter.empty:
            raise PluginError(
                f"{label}: parameter '{parameter}' cannot be checked",
                "parameters left of the * need a name and a type; *args and **kwargs are not allowed",
            )
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (parameter.annotation, default)
    try:
        return create_model(label, __config__=_STRICT, **fields)
    except Exception as cause:
        raise PluginError(f"{label}: its signature is no schema: {cause}") from cause


def given_names(function: Callable[..., Any]) -> dict[str, bool]:
    """The parameters right of the `*`, which the program gives, and whether each must be given."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default is p.empty for p in parameters if p.kind is p.KEYWORD_ONLY}
