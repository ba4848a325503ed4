"""Whatever a user gets wrong, in any key of any preset, ends in an error that names the key: never in a traceback."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reidctl.config import RunConfig, load_config
from reidctl.config.layers import Layer
from reidctl.config.loaded import Loaded
from reidctl.config.parts import check_parts, with_defaults
from reidctl.config.reader import KeyPath
from reidctl.errors import ConfigError, ReidError, UnknownName
from reidctl.registry import presets

PRESETS = [None, *presets.names()]
SAME_KEYS = ("retail-0265", "retail-0270")
"""Presets with the keys of retail-0267, left to `make test-all`."""
ON_ALL = pytest.mark.parametrize(
    "preset", [pytest.param(name, marks=[pytest.mark.slow] if name in SAME_KEYS else []) for name in PRESETS]
)


def paths(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Every key and item below `value`."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from paths(child, (*path, key))


@functools.cache
def everything(preset: str | None) -> dict[str, Any]:
    """The whole configuration of a preset, parameters of parts and re-ranking included."""
    reranked = load_config(preset, sets=["eval.rerank={}"])
    return with_defaults(reranked.config).model_dump(mode="json")


def at(preset: str | None, path: KeyPath) -> Any:
    value: Any = everything(preset)
    for step in path:
        value = value[step]
    return value


def attempt(preset: str | None, path: KeyPath, value: Any) -> Loaded | ReidError:
    """The preset, written out, with one value changed, as a flag would; the error if there is one."""
    values = value
    for step in reversed(path):
        values = {str(step): values}
    whole = {key: child for key, child in everything(preset).items() if key != "preset"}
    try:
        loaded = load_config(flags=[Layer("everything", whole), Layer("mistake", values)])
        check_parts(loaded)
    except ReidError as error:
        return error
    return loaded


def require_error_at(path: KeyPath, found: Loaded | ReidError, extra: str = "") -> None:
    key = ".".join(map(str, path))
    assert isinstance(found, ConfigError | UnknownName), f"{key}: accepted"
    assert found.exit_code == 2
    assert f"{key}{extra}" in str(found)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@ON_ALL
def test_no_key_takes_keys_that_it_does_not_have(preset: str | None) -> None:
    for path in paths(everything(preset)):
        require_error_at(path, attempt(preset, path, {"no such key": 1}))


@ON_ALL
def test_a_mistyped_key_is_an_error_with_its_path_and_the_right_one(preset: str | None) -> None:
    for path in paths(everything(preset)):
        *above, key = path
        if not isinstance(key, str):
            continue
        mistyped = (*above, f"{key[:-1]}q{key[-1]}")
        found = attempt(preset, mistyped, at(preset, path))
        require_error_at(mistyped, found, extra=": no such key")
        assert isinstance(found, ReidError)
        # A key of one or two letters is too short to be recognised.
        assert len(key) < 3 or found.hint == f"did you mean '{key}'?"


@ON_ALL
def test_no_number_is_taken_for_text_or_beyond_its_bounds(preset: str | None) -> None:
    numbers = [path for path in paths(everything(preset)) if is_number(at(preset, path))]
    assert len(numbers) > 30
    for path in numbers:
        for value in ("many", -(10**9), math.nan):
            require_error_at(path, attempt(preset, path, value))


@ON_ALL
def test_no_switch_word_or_list_takes_a_number(preset: str | None) -> None:
    for path in paths(everything(preset)):
        if not is_number(at(preset, path)) and at(preset, path) is not None:
            require_error_at(path, attempt(preset, path, 3.5))


@ON_ALL
def test_no_choice_takes_another_word(preset: str | None) -> None:
    free = {"root", "runs", "run", "device", "preset", "open_layers", "cache_dir"}
    words = [path for path in paths(everything(preset)) if isinstance(at(preset, path), str) and not free & {*path}]
    assert len(words) > 5
    for path in words:
        require_error_at(path, attempt(preset, path, f"{at(preset, path)}x"))


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def refused(line: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_config(sets=[line])
    return caught.value


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("data.workers=many", "data.workers: should be an integer or 'auto' (got \"many\")"),
        ("data.workers=-1", "data.workers: should be greater than or equal to 0 or 'auto' (got -1)"),
        ("train.compile=maybe", "train.compile: should be a boolean or 'auto' (got \"maybe\")"),
        ("losses=[]", "losses: should have at least 1 item, not 0 (got [])"),
    ],
)
def test_what_is_wrong_is_told_in_one_plain_sentence(line: str, message: str) -> None:
    assert str(refused(line)) == message


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("train.epochs=many", "epochs is for: passes over the sampler; 60 by default"),
        ("data.sources.0=3", "sources is for: data sets to train on"),
        ("losses=[]", "losses is for: losses whose weighted sum is minimised"),
    ],
)
def test_a_wrong_value_is_told_what_its_key_is_for(line: str, hint: str) -> None:
    assert refused(line).hint == hint


@given(st.data())
def test_any_value_at_any_key_is_taken_or_refused(data: st.DataObject) -> None:
    preset = data.draw(st.sampled_from(PRESETS))
    path = data.draw(st.sampled_from(list(paths(everything(preset)))))
    found = attempt(preset, path, data.draw(ANY))
    assert isinstance(found, Loaded) or found.exit_code == 2


@contextmanager
def variable(name: str, value: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(name, value)
        yield


def outcome(**given: Any) -> Loaded | ReidError:
    try:
        return load_config(**given)
    except ReidError as error:
        return error


KEYS = [".".join(map(str, path)) for path in paths(RunConfig().model_dump(mode="json"))]
TEXTS = (
    st.text() | st.text("&*!|>%@`{}[],:-?<=~#'\" \n\t0.eExob_") | st.sampled_from(["{}", "[]", "1e999", ".nan", "x"])
)
# What no operating system can put into a variable or an argument.
PASSABLE = TEXTS.map(lambda text: text.replace("\0", "")).filter(str.isprintable)


@given(st.sampled_from(KEYS) | PASSABLE, PASSABLE, st.sampled_from(["=", ""]))
def test_any_text_after_set_is_taken_or_refused(key: str, value: str, equals: str) -> None:
    found = outcome(sets=[f"{key}{equals}{value}"])
    assert isinstance(found, Loaded) or found.exit_code == 2


@given(st.sampled_from(KEYS) | PASSABLE.filter(lambda text: "=" not in text), PASSABLE)
def test_any_text_in_a_variable_is_taken_or_refused(key: str, value: str) -> None:
    with variable(f"REIDCTL_{key.replace('.', '__').upper()}", value):
        found = outcome()
    assert isinstance(found, Loaded) or found.exit_code == 2


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mistakes") / "run.yaml"


@given(
    st.binary() | TEXTS.map(lambda text: text.encode(errors="ignore")), st.sampled_from(["", *RunConfig.model_fields])
)
def test_any_file_is_taken_or_refused(file: Path, content: bytes, key: str) -> None:
    file.write_bytes((f"{key}: ".encode() if key else b"") + content)
    found = outcome(files=[file])
    assert isinstance(found, Loaded) or found.exit_code == 2
