"""YAML text becomes plain values with positions, or a ConfigError: never anything else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reidctl.config.reader import Document, read_file, read_text, read_value
from reidctl.errors import ConfigError


def test_values_keep_their_line_and_column() -> None:
    document = read_text("train:\n  epochs: 5\nlosses:\n  - {name: softmax}\n", "run.yaml")
    assert document.values == {"train": {"epochs": 5}, "losses": [{"name": "softmax"}]}
    assert document.marks[("train", "epochs")] == (2, 11)
    assert document.marks[("losses", 0, "name")] == (4, 12)


def test_an_empty_file_has_no_values() -> None:
    assert read_text("", "run.yaml").values == read_text("# only words\n", "run.yaml").values == {}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0267", 267),
        ("1e-3", 0.001),
        ("on", "on"),
        ("true", True),
        ("~", None),
        ("[1, 2]", [1, 2]),
        ("{name: x}", {"name": "x"}),
        ("2021-02-05", "2021-02-05"),
        ("=", "="),
        ("'5'", "5"),
        ("", None),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    assert read_value(text, "--set") == value


@pytest.mark.parametrize(
    ("text", "where", "problem"),
    [
        ("a: 1\na: 2\n", "f:2:1", "given twice"),
        ("a: [1, 2\n", "f:2:1", "expected"),
        ("1: a\n", "f:1:1", "a key must be text"),
        ("[a]: 1\n", "f:1:1", "a key must be text"),
        ("base: &b {x: 1}\nc:\n  <<: *b\n", "f:3:3", "merge keys"),
        ("a: !!python/object:os.system x\n", "f:1:4", "is not plain data"),
        ("a: !!set {x}\n", "f:1:4", "is not plain data"),
        ("a: !!binary aGk=\n", "f:1:4", "is not plain data"),
        ("a: !mine 3\n", "f:1:4", "is not plain data"),
        ("a: &a [*a]\n", "f:1:4", "contains itself"),
        ("- 1\n", "f", "expected keys and values"),
        ("just words", "f", "expected keys and values"),
        ("a: *nobody\n", "f:1:4", "undefined alias"),
        ("a: 1\n--- \nb: 2\n", "f:2:1", "single document"),
        ("a: \x00\n", "f", "not YAML"),
        ("a: !!int x\n", "f", "not YAML"),
    ],
)
def test_what_is_no_plain_mapping_is_refused_with_its_position(text: str, where: str, problem: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_text(text, "f")
    assert str(error.value).startswith(f"{where}: ")
    assert problem in str(error.value)


def test_the_last_of_two_values_stands_where_that_is_asked_for() -> None:
    document = read_text("a: {b: 1, c: 2,\n  b: 3}\na: {b: 4, b: 5}\n", "f", last_wins=True)
    assert document.values == {"a": {"b": 5}}
    assert document.repeats == ((("a",), (3, 1)), (("a", "b"), (3, 11)))


def test_aliases_that_multiply_are_stopped() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(ConfigError, match="more values than"):
        read_text("\n".join(lines), "f")


@pytest.mark.parametrize("text", ["[" * 600 + "]" * 600, "{a: " * 600 + "}" * 600])
def test_deep_nesting_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="nested too deeply"):
        read_text(text, "f")


def test_a_file_that_cannot_be_read_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_file(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="Is a directory"):
        read_file(tmp_path)
    broken = tmp_path / "latin.yaml"
    broken.write_bytes("name: é".encode("latin-1"))
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_file(broken)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any")


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    LEAVES | st.text("ab\"'\\é\n{}"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc.", min_size=1), inner, max_size=4),
    max_leaves=10,
)


@given(JSON)
def test_json_reads_as_itself(value: Any) -> None:
    assert read_value(json.dumps(value, ensure_ascii=False), "json") == value


def read(path: Path) -> Document | ConfigError:
    try:
        return read_file(path)
    except ConfigError as error:
        return error


TEXTS = st.text() | st.text("&*!|>%@`{}[],:-?<=~#'\" \n\t0.eExob_")


@given(st.binary() | TEXTS.map(lambda text: text.encode(errors="ignore")))
def test_any_bytes_are_a_mapping_or_a_config_error_that_names_the_file(folder: Path, data: bytes) -> None:
    path = folder / "any.yaml"
    path.write_bytes(data)
    result = read(path)
    assert isinstance(result.values, dict) if isinstance(result, Document) else str(result).startswith(str(path))


def test_a_file_that_is_no_configuration_by_its_size_is_not_parsed(tmp_path: Path) -> None:
    path = tmp_path / "network.yaml"
    path.write_bytes(b"- softmax\n" * 100_001)
    with pytest.raises(ConfigError, match=r"network\.yaml: larger than a configuration can be"):
        read_file(path)


@pytest.mark.parametrize(
    ("text", "kind"), [("[1]", "a list"), ("5", "a number"), ("1.5", "a number"), ("word", "text"), ("true", "true or")]
)
def test_what_stands_at_the_top_instead_of_keys_is_said(text: str, kind: str) -> None:
    with pytest.raises(ConfigError, match=f"expected keys and values at the top, found {kind}"):
        read_text(text, "run.yaml")
