import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reidctl.losses.class_counts import class_weights


def test_weights_are_in_inverse_proportion_to_the_share_with_mean_1_over_the_images() -> None:
    # Shares 1/4 and 3/4: 1 / 0.2501 and 1 / 0.7501; their mean over four images is (3.9984 + 3 x 1.3332) / 4.
    weights = class_weights(torch.tensor([5, 15]))
    rare, common = 1 / 0.2501, 1 / 0.7501
    mean = (rare + 3 * common) / 4
    assert weights.tolist() == pytest.approx([rare / mean, common / mean])


@given(counts=st.lists(st.integers(1, 300), min_size=2, max_size=30), shift=st.integers(1, 29))
def test_weights_do_not_depend_on_the_numbers_of_the_classes(counts: list[int], shift: int) -> None:
    images = torch.tensor(counts)
    weights = class_weights(images)
    torch.testing.assert_close(class_weights(images.roll(shift)), weights.roll(shift))
    assert (weights * images).sum().item() == pytest.approx(sum(counts), rel=1e-5)


def originals_weights(counts: np.ndarray) -> np.ndarray:
    """Divided by the median over many draws of the mean class *number*, drawn like images."""
    shares = counts / counts.sum()
    drawn = np.random.default_rng(0).choice(len(counts), size=(200, 64), p=shares)
    return 1 / (shares + 1e-4) / np.median(drawn.mean(axis=1))


def test_the_weights_of_the_original_change_with_the_numbers() -> None:
    counts = np.array([1, 2, 40, 80])
    original, turned = originals_weights(counts), originals_weights(counts[::-1])[::-1]
    assert np.abs(original / turned - 1).min() > 0.5
    ours, ours_turned = class_weights(torch.tensor(counts)), class_weights(torch.tensor(counts[::-1].copy())).flip(0)
    torch.testing.assert_close(ours, ours_turned)
