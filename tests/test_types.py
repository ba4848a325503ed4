from pathlib import Path

import pytest

from reidctl.errors import InputError
from reidctl.types import ReidData, Sample

TRAIN = tuple(Sample(Path(f"{label}.jpg"), str(label), label, 0) for label in (0, 1))


@pytest.mark.parametrize("numbers", [(7,), (7, 8, 9), (7, 7)])
def test_training_labels_and_their_identities_are_one_to_one(numbers: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="2 training identities have not as many numbers"):
        ReidData("some", train=TRAIN, train_identities=numbers)


def test_a_data_set_need_not_tell_its_training_identities() -> None:
    assert ReidData("some", train=TRAIN).train_identities == ()
    assert ReidData("some", train=TRAIN, train_identities=(9, 2)).train_identities == (9, 2)


@pytest.mark.parametrize("sizes", [(1,), (1, 2), (3,)])
def test_sources_add_up_to_the_training_images(sizes: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="do not add up to 2 training images"):
        ReidData("some", train=TRAIN, train_sources=sizes)
