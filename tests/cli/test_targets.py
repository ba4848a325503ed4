"""Models and data sets as commands name them."""

from __future__ import annotations

from pathlib import Path

import pytest

from reidctl.cli.targets import parsed
from reidctl.errors import ConfigError
from reidctl.types import Spec


@pytest.mark.parametrize(
    ("text", "spec", "place"),
    [
        ("market1501", Spec(name="market1501"), None),
        ("market1501=my data", Spec(name="market1501"), Path("my data")),
        ("market1501=", Spec(name="market1501"), None),
        ("{name: csv, file: a=b.csv}", Spec(name="csv", file="a=b.csv"), None),
    ],
)
def test_a_name_says_what_it_is_and_where(text: str, spec: Spec, place: Path | None) -> None:
    assert parsed(text) == (spec, place)


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "INDEX '': a name is missing"), ("=DIR", "INDEX '=DIR': a name is missing"), ("{name: ''}", "INDEX.name: ")],
)
def test_nothing_is_no_name(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parsed(text, "INDEX")
