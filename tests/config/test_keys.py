"""Keys of a configuration, written with dots."""

from __future__ import annotations

from reidctl.config.keys import flattened


def test_nested_values_are_flattened() -> None:
    value = {"a": {"b": 1, "c": []}, "d": [{"e": None}, 2]}
    assert flattened(value) == {"a.b": 1, "a.c": [], "d.0.e": None, "d.1": 2}


def test_a_value_alone_has_the_key_that_it_is_given() -> None:
    assert flattened(3, "a.b") == {"a.b": 3}
    assert flattened({"c": 3}, "a.b") == {"a.b.c": 3}
