"""What the tests of the networks share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from tests.parity.fillrule import fixed_input


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Double precision convolutions are many small loops, which threads only slow down."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def images() -> Tensor:
    """The two images [2, 3, 256, 128] of the fixtures' eval results, float64."""
    return torch.from_numpy(fixed_input(2, seed=20240601)[1])


@pytest.fixture(scope="session")
def training_images() -> Tensor:
    """The eight images [8, 3, 256, 128] of the fixtures' train results, float64."""
    return torch.from_numpy(fixed_input(8, seed=20240602)[1])
