import math

import pytest
import torch

from reidctl.losses.likeness import divergence, likeness, off_diagonal


def test_off_diagonal_leaves_out_the_diagonal_alone() -> None:
    pairs = torch.arange(9.0).view(3, 3)
    assert off_diagonal(pairs).tolist() == [[1, 2], [3, 5], [6, 7]]
    assert off_diagonal(pairs[:1, :1]).shape == (1, 0)


def test_likeness_is_a_softmax_of_the_cosines_with_the_others() -> None:
    rows = torch.tensor([[2.0, 0.0], [0.0, 3.0], [1.0, 1.0]])
    # Cosines: 0 between the first two, 1/√2 from either to the third.
    near, far = math.exp(math.sqrt(0.5) / 0.5), 1.0
    expected = [
        [far / (near + far), near / (near + far)],
        [far / (near + far), near / (near + far)],
        [0.5, 0.5],
    ]
    torch.testing.assert_close(likeness(rows, 0.5).exp(), torch.tensor(expected))


def test_divergence_is_the_mean_of_the_sums_over_rows() -> None:
    target, own = torch.tensor([[0.5, 0.5], [0.9, 0.1]]), torch.tensor([[0.25, 0.75], [0.9, 0.1]])
    first = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    assert divergence(target.log(), own.log()).item() == pytest.approx(first / 2)
