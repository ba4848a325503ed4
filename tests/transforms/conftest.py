from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from reidctl.registry import transforms
from reidctl.types import Sample, Spec

SIZE = (256, 128)


@dataclass(frozen=True)
class Noise:
    """A picture of one size and one random colour per pixel."""

    seed: int

    def __call__(self) -> Image.Image:
        generator = np.random.default_rng(self.seed)
        height, width = generator.integers(20, 60, 2)
        return Image.fromarray(generator.integers(0, 256, (height, width, 3), dtype=np.uint8))


SAMPLES = tuple(Sample(Noise(index), f"noise{index}", index // 2, 0) for index in range(6))


@pytest.fixture(scope="session")
def arrays() -> dict[str, np.ndarray]:
    """Arrays of the original toolkit, all for one source image of 180 x 72."""
    with np.load(Path(__file__).parents[1] / "parity" / "transforms_subset.npz") as stored:
        return dict(stored)


@pytest.fixture
def source(arrays: dict[str, np.ndarray]) -> Image.Image:
    return Image.fromarray(arrays["source"])


@pytest.fixture(scope="session")
def samples() -> tuple[Sample, ...]:
    """What is trained on."""
    return SAMPLES


@pytest.fixture(scope="session")
def build() -> Callable[..., Any]:
    """A registered transform by name, with parameters."""

    def make(name: str, **parameters: Any) -> Any:
        return transforms.build(Spec(name=name, **parameters), image_size=SIZE, samples=SAMPLES)

    return make
