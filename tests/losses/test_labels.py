import pytest
import torch

from reidctl.errors import InputError
from reidctl.losses.labels import require_classes


@pytest.mark.parametrize(("labels", "wrong"), [([0, 3], 3), ([-1, 2], -1), ([7, -2], -2)])
def test_a_label_that_is_no_class_is_named(labels: list[int], wrong: int) -> None:
    with pytest.raises(InputError, match=f"label {wrong} is none of the loss's 3 classes, 0…2"):
        require_classes(torch.tensor(labels), 3)


@pytest.mark.parametrize("labels", [[], [0], [2, 0, 1]])
def test_classes_pass(labels: list[int]) -> None:
    require_classes(torch.tensor(labels, dtype=torch.int64), 3)
