from hypothesis import given
from hypothesis import strategies as st

from reidctl.data.names import distinct


def test_a_name_that_comes_again_is_numbered_past_those_that_are_taken() -> None:
    assert distinct(["a", "b", "a", "a", "b"]) == ["a", "b", "a-2", "a-3", "b-2"]
    assert distinct(["a", "a", "a-2", "a"]) == ["a", "a-3", "a-2", "a-4"]


@given(st.lists(st.sampled_from(["a", "a-2", "a-2-2", "a-3", "b"])))
def test_no_two_are_alike_and_the_first_of_each_keeps_its_name(names: list[str]) -> None:
    found = distinct(names)
    assert len(set(found)) == len(names)
    for name in set(names):
        assert found[names.index(name)] == name
