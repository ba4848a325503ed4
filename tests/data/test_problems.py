import pytest

from reidctl.data.problems import SHOWN, Problem, listed, refuse
from reidctl.errors import InputError


def test_a_reader_that_takes_no_problems_stops_at_the_first() -> None:
    with pytest.raises(InputError, match=r"^a\.jpg: is odd$") as caught:
        refuse(Problem("misnamed", "a.jpg", "is odd", "mend it"))
    assert caught.value.hint == "mend it"


@pytest.mark.parametrize("more", [0, 1, 1000])
def test_a_list_says_how_many_it_leaves_out(more: int) -> None:
    text = listed([Problem("misnamed", f"{n}.jpg", "is odd") for n in range(SHOWN + more)])
    assert text.startswith("0.jpg: is odd; 1.jpg: is odd; ")
    assert text.endswith(f"; and {more:,} more" if more else f"{SHOWN - 1}.jpg: is odd")
