"""What the spine's JSON Schema takes is what pydantic takes, and in the same form; it may leave more in doubt."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reidctl.config import RunConfig, load_config, spine
from reidctl.config.parts import with_defaults
from reidctl.config.reader import KeyPath
from reidctl.registry import presets
from reidctl.validation import problems

# Words that judge nothing, and those that `_record` reads.
ABOUT = {"title", "description", "required", "additionalProperties"}
TEACHER = {"train": {"teacher": {"model": "a//b/", "device": "cpu"}}}
ALL_OPEN: dict[str, Any] = {**TEACHER, "eval": {"rerank": {}}}
"""A configuration whose optional records are there, so that all of their keys can be reached."""


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every schema within a schema."""
    if isinstance(value, dict):
        if "type" in value or "$ref" in value or "anyOf" in value:
            yield value
        children = value.values()
        yield from (node for child in children for node in nodes(child))
    elif isinstance(value, list):
        yield from (node for child in value for node in nodes(child))


def paths(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Every key and item below `value`."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from paths(child, (*path, key))


def changed(values: Any, path: KeyPath, value: Any) -> Any:
    """A copy of `values` with another value at `path`."""
    if not path:
        return value
    first, *rest = path
    copy = dict(values) if isinstance(values, dict) else list(values)
    copy[first] = changed(values[first], tuple(rest), value)
    return copy


def whole() -> dict[str, Any]:
    found = spine.canonical(ALL_OPEN)
    assert found is not None
    return found


def by_pydantic(values: dict[str, Any]) -> str | None:
    """The configuration as JSON text, whose keys have an order; None where it is refused."""
    found = problems(RunConfig, values)
    return None if isinstance(found, list) else json.dumps(found.model_dump(mode="json"))


def by_spine(values: dict[str, Any]) -> str | None:
    found = spine.canonical(values)
    return None if found is None else json.dumps(found)


def require_agreement(values: dict[str, Any]) -> None:
    taken = by_spine(values)
    assert taken is None or taken == by_pydantic(values)


def test_the_file_is_what_pydantic_says_of_the_schema() -> None:
    assert spine.spine() == RunConfig.model_json_schema()
    # The order of keys is that in which a configuration is shown.
    assert list(spine.defaults()) == list(RunConfig.model_fields)


def test_no_word_of_the_schema_is_passed_over() -> None:
    words = {word for node in nodes(spine.spine()) for word in node} - ABOUT
    assert words <= spine.READ
    assert words > {"exclusiveMaximum", "pattern", "const", "prefixItems"}


@pytest.mark.parametrize("preset", [None, *presets.names()])
@pytest.mark.parametrize("written_out", [False, True], ids=["short", "written out"])
def test_what_is_shipped_is_taken_in_pydantics_own_form(preset: str | None, written_out: bool) -> None:
    loaded = load_config(preset)
    values = with_defaults(loaded.config).model_dump(mode="json") if written_out else loaded.given.values
    assert by_spine(values) is not None
    require_agreement(values)


def test_defaults_are_those_of_the_schema() -> None:
    assert json.dumps(spine.defaults()) == json.dumps(RunConfig().model_dump(mode="json"))


def test_every_bound_stands_where_pydantic_has_it() -> None:
    numbers = [path for path in paths(whole()) if type(at(whole(), path)) in (int, float)]
    optional = [("train", key) for key in ("sam_rho", "clip_norm", "ema_decay", "patience")]
    assert len(numbers) > 30
    # Of the whole numbers the largest bound is 2^32, of the others 1; the least of any is 0, but for sizes from 16 up.
    whole_numbers = [-1, 0, 1, 2, 15, 16, 17, 2**32 - 1, 2**32]
    fractions = [-1e-9, -0.0, 5e-324, math.nextafter(1, 0), 1.0, math.nextafter(1, 2)]
    taken = 0
    for path in [*numbers, *optional]:
        for value in [*whole_numbers, *fractions]:
            values = changed(whole(), path, value)
            assert by_spine(values) == by_pydantic(values), (path, value)
            taken += by_spine(values) is not None
    assert taken > 100


def at(values: Any, path: KeyPath) -> Any:
    for step in path:
        values = values[step]
    return values


@pytest.mark.parametrize(
    "values",
    [
        {"losses": []},
        {"losses": ["softmax", {"weight": 2, "name": "triplet", "margin": [1, {"a": None}]}]},
        {"model": ""},
        {"model": {"width": 1}},
        {"data": {"image": {"mean": [0, 0.5]}}},
        {"data": {"image": {"mean": [0, 0.5, 1]}}},
        {"data": {"root": ""}, "weights": "./a//b/../c/"},
        {"train": {"compile": "auto", "betas": [0, 0.5]}},
        {"train": {"compile": "always"}},
        {"train": {"teacher": {"device": "cpu"}}},
        {"train": {"best_metric": "rank-10"}},
        {"train": {"best_metric": "rank-10\n"}},
        {"train": {"best_metric": "rank-١"}},
        {"train": {"best_metric": "rank-2"}},
        {"train": {"optimizer": None}},
        {"run": ""},
        {"eval": {"rerank": {"k1": 5}, "ranks": []}},
        {"no such key": 1},
        {"seed": 1.0},
        {"seed": True},
        {"train": {"lr": True}},
        {"train": {"lr": 10**400}},
        {"train": {"lr": math.inf}},
        {"model": {"name": "x", "p": math.nan}},
        {"model": {"name": "x", "self": 1, "parameters": {"name": 2}, "a-b": 10**30}},
        {"run": "\ud800"},
        {"run": 5, "preset": []},
    ],
    ids=lambda values: ascii(values)[:60],
)
def test_single_cases_agree(values: dict[str, Any]) -> None:
    require_agreement(values)


def test_what_lies_deep_is_left_to_pydantic() -> None:
    deep: Any = 1
    for _ in range(400):
        deep = [deep]
    assert spine.canonical({"model": {"name": "x", "deep": deep}}) is None


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
PATHS = list(paths(whole()))


@given(st.sampled_from(PATHS), ANY | st.integers(-2, 70) | st.floats(0, 2))
def test_any_value_at_any_key_is_taken_as_pydantic_takes_it(path: KeyPath, value: Any) -> None:
    require_agreement(changed(whole(), path, value))


@given(st.sampled_from(PATHS), st.sampled_from(PATHS))
def test_a_value_of_another_key_is_taken_as_pydantic_takes_it(path: KeyPath, other: KeyPath) -> None:
    require_agreement(changed(whole(), path, at(whole(), other)))


@pytest.mark.parametrize(
    "values",
    [
        {"train": {"best_metric": "rank-2"}},
        {"train": {"patience": 2, "eval_every": 0}},
        {"train": {"schedule": "one_cycle", "warmup_epochs": 3}},
        {"train": {"new_layers": ["fc"]}},
        {"train": {"sam_rho": 0.05, "precision": "f16"}},
        {"train": {"batch_size": 63}},
        {"train": {"schedule": "multi_step"}},
        {"train": {"milestones": [5, 5]}},
        {"train": {"fixbase_epochs": 2}},
        {"train": {"warmup_epochs": 60}},
        {"train": TEACHER["train"], "data": {"batch_transforms": ["mixup"]}},
        {"data": {"combineall": True}},
    ],
    ids=str,
)
def test_what_contradicts_itself_is_not_taken(values: dict[str, Any]) -> None:
    assert spine.canonical(values) is None
    assert by_pydantic(values) is None


@pytest.mark.parametrize(
    ("path", "record"),
    [
        ((), "RunConfig"),
        (("train",), "TrainConfig"),
        (("train", "teacher"), "TeacherConfig"),
        (("eval", "rerank"), "Rerank"),
        (("model",), "Spec"),
        (("losses", 0), "LossSpec"),
        (("losses",), None),
        (("data", "image", "mean"), None),
        (("losses", 0, "name"), None),
        (("nowhere", 1, "x"), None),
    ],
)
def test_the_record_at_a_path(path: KeyPath, record: str | None) -> None:
    found = spine.record_at(path)
    assert (found and found["title"]) == record
    assert found is None or spine.is_part(found) == (record in ("Spec", "LossSpec"))
