from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from reidctl.api import load_dataset
from reidctl.retrieval.channel_order import swapped_order_fits_better
from reidctl.runtimes import open_embedder
from reidctl.types import ArtefactInfo, ImageSpec, Sample, Spec

SIZE = (32, 16)


class Reds:
    """A network that knows red, and green a little: its embedding is a histogram of the first channel it is given."""

    def __init__(self, swapped: bool) -> None:
        self.info = ArtefactInfo(model="reds", image=ImageSpec(height=32, width=16), embedding_dim=16)
        self.swapped = swapped

    def embed_batch(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        red = images[..., 2 if self.swapped else 0].reshape(len(images), -1) // 16
        return np.stack([np.bincount(row, minlength=16) for row in red]).astype(np.float32)


def people(count: int, seed: int = 0) -> tuple[list[Sample], list[Sample]]:
    """Each identity has a red of its own; green and blue are those of the camera's light, any."""
    rng = np.random.default_rng(seed)
    parts: tuple[list[Sample], list[Sample]] = ([], [])
    for identity in range(count):
        red = rng.integers(0, 256)
        for camera, part in enumerate(parts):
            pixels = np.full((*SIZE, 3), [red, *rng.integers(0, 256, 2)]) + rng.integers(-20, 20, (*SIZE, 3))
            image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
            part.append(Sample(partial(Image.Image.copy, image), f"{identity}-{camera}", identity, camera))
    return parts


@pytest.mark.parametrize("count", [20, 130])
def test_swapped_colours_are_found_and_right_ones_left_alone(count: int) -> None:
    query, gallery = people(count)
    assert swapped_order_fits_better(Reds(swapped=True), query, gallery)
    assert not swapped_order_fits_better(Reds(swapped=False), query, gallery)


def test_nothing_is_said_without_enough_pairs_of_two_cameras() -> None:
    query, gallery = people(11)
    assert not swapped_order_fits_better(Reds(swapped=True), query, gallery)
    query, _ = people(40)
    assert not swapped_order_fits_better(Reds(swapped=True), query, query)
    assert not swapped_order_fits_better(Reds(swapped=True), query, [])


def test_a_network_that_tells_nobody_apart_is_left_alone() -> None:
    class Constant(Reds):
        def embed_batch(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
            return np.ones((len(images), 16), np.float32)

    assert not swapped_order_fits_better(Constant(swapped=True), *people(40))


def test_chance_alone_is_not_taken_for_a_finding() -> None:
    """Embeddings that are noise: over many data sets nobody is told that the order is wrong."""

    class Noise(Reds):
        def __init__(self, seed: int) -> None:
            super().__init__(swapped=False)
            self.rng = np.random.default_rng(seed)

        def embed_batch(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
            return self.rng.normal(size=(len(images), 16)).astype(np.float32)

    assert not any(swapped_order_fits_better(Noise(seed), *people(40, seed)) for seed in range(20))


@pytest.mark.parametrize(("name", "order"), [("person-reidentification-retail-0267.onnx", "rgb"), ("0287-FP32", "bgr")])
def test_published_networks_know_their_order(real_data: Path, name: str, order: str) -> None:
    data = load_dataset("market1501", real_data / "data")
    for told in ("rgb", "bgr"):
        spec = Spec(name="openvino", foreign={"color_order": told})
        embedder = open_embedder(real_data / "models" / "omz" / name, runtime=spec)
        assert swapped_order_fits_better(embedder, data.query, data.gallery) == (told != order)
