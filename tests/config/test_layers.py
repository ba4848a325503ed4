"""The rules by which one layer is laid over another, and what is remembered of where values came from."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reidctl.config.layers import Layer, Merged, merge
from reidctl.config.reader import read_text
from reidctl.errors import ConfigError


def merged(*layers: dict[str, Any]) -> Any:
    return merge([Layer(str(index), values) for index, values in enumerate(layers)]).values


def test_mappings_merge_key_by_key() -> None:
    assert merged({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}}) == {"a": {"x": 1, "y": 3}}


def test_lists_and_scalars_replace() -> None:
    assert merged({"a": [1, 2, 3], "b": 1}, {"a": [4], "b": None}) == {"a": [4], "b": None}


def test_numbered_keys_replace_single_items_of_a_list() -> None:
    assert merged({"a": [1, {"x": 1, "y": 2}]}, {"a": {"1": {"x": 5}}}) == {"a": [1, {"x": 5, "y": 2}]}


def test_an_item_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^1: a\.2: there are only 2 items, counted from 0$"):
        merged({"a": [1, 2]}, {"a": {"2": 3}})


def test_a_part_keeps_its_parameters_while_its_name_stays() -> None:
    below = {"model": {"name": "osnet", "dim": 8}}
    assert merged(below, {"model": {"dim": 16}}) == {"model": {"name": "osnet", "dim": 16}}
    assert merged(below, {"model": {"name": "osnet", "dim": 16}}) == {"model": {"name": "osnet", "dim": 16}}
    assert merged(below, {"model": {"name": "osnet", "gate": 1}}) == {"model": {"name": "osnet", "dim": 8, "gate": 1}}


def test_a_part_of_another_name_starts_anew() -> None:
    assert merged({"model": {"name": "osnet", "dim": 8}}, {"model": {"name": "vit"}}) == {"model": {"name": "vit"}}
    assert merged({"model": {"name": "osnet", "dim": 8}}, {"model": "vit"}) == {"model": "vit"}


def test_a_parameter_laid_over_a_bare_name_makes_a_part_of_it() -> None:
    assert merged({"model": "osnet"}, {"model": {"dim": 8}}) == {"model": {"name": "osnet", "dim": 8}}


def test_every_leaf_knows_its_layer_and_line() -> None:
    document = read_text("train:\n  epochs: 5\n", "run.yaml")
    result = merge(
        [
            Layer("default", {"train": {"epochs": 60, "lr": 0.1}, "ranks": [1, 5]}),
            Layer("run.yaml", document.values, document.marks),
            Layer("--set train.lr", {"train": {"lr": 0.2}}, text="0.2"),
            Layer("--set ranks.1", {"ranks": {"1": 7}}),
        ]
    )
    assert {".".join(map(str, path)): str(origin) for path, origin in result.origins.items()} == {
        "train.epochs": "run.yaml:2:11",
        "train.lr": "--set train.lr",
        "ranks.0": "default",
        "ranks.1": "--set ranks.1",
    }
    assert result.origins["train", "lr"].text == "0.2"


def test_what_is_replaced_loses_its_origins() -> None:
    result = merge([Layer("a", {"model": {"name": "x", "dim": 1}}), Layer("b", {"model": {"name": "y"}})])
    assert {path: origin.source for path, origin in result.origins.items()} == {("model", "name"): "b"}


def test_a_place_names_the_origin_and_the_key_once() -> None:
    result = merge([Layer("run.yaml", {"seed": 1}, {("seed",): (3, 7)}), Layer("--set train.lr", {"train": {"lr": 2}})])
    assert result.place(("seed",)) == "run.yaml:3:7: seed"
    assert result.place(("train", "lr")) == "train.lr"
    assert result.place(("train", "lr", "deeper")) == "--set train.lr: train.lr.deeper"
    assert result.place(("nothing",)) == "default: nothing"
    assert result.place(()) == ""


NAMES = st.sampled_from(["a", "b", "name", "0"])
TREES = st.recursive(
    st.none() | st.integers(0, 3) | st.sampled_from(["x", "y"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
LAYERS = st.lists(st.dictionaries(NAMES, TREES, max_size=3), min_size=1, max_size=4)


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    children = list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())
    return set().union(*(leaves(child, (*path, key)) for key, child in children)) if children else {path}


def attempt(layers: list[dict[str, Any]]) -> Merged | ConfigError:
    try:
        return merge([Layer(str(index), values) for index, values in enumerate(layers)])
    except ConfigError as error:
        return error


@given(LAYERS)
def test_every_leaf_has_an_origin_and_every_origin_a_value(layers: list[dict[str, Any]]) -> None:
    result = attempt(layers)
    if isinstance(result, ConfigError):
        assert "items, counted from 0" in str(result)
        return
    assume(result.values)
    for path in leaves(result.values):
        assert result.origin(path).source in map(str, range(len(layers)))
    for path in result.origins:
        here: Any = result.values
        for step in path:
            here = here[step]


@given(LAYERS)
def test_the_layers_themselves_are_left_as_they_were(layers: list[dict[str, Any]]) -> None:
    before = copy.deepcopy(layers)
    attempt(layers)
    assert layers == before


@given(st.dictionaries(NAMES, TREES, max_size=3))
def test_a_layer_over_nothing_or_over_itself_is_itself(values: dict[str, Any]) -> None:
    assert merged(values) == values
    assert merged({}, values) == values
    assert merged(values, values) == values
