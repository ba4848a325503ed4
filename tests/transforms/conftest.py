from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def arrays() -> dict[str, np.ndarray]:
    """Arrays of the original toolkit, all for one source image of 180 x 72."""
    with np.load(Path(__file__).parents[1] / "parity" / "transforms_subset.npz") as stored:
        return dict(stored)


@pytest.fixture
def source(arrays: dict[str, np.ndarray]) -> Image.Image:
    return Image.fromarray(arrays["source"])
