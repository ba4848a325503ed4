import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reidctl.errors import InputError
from reidctl.retrieval import embed
from reidctl.types import ArtefactInfo, ImageSpec, Sample

ROOT = Path(__file__).parents[2]
SIZE = ImageSpec(height=32, width=16)


class MeanColor:
    """Embeds a picture as the mean color of its left half, and remembers its batches."""

    info = ArtefactInfo(model="mean", image=SIZE, embedding_dim=3)

    def __init__(self) -> None:
        self.batches: list[tuple[int, ...]] = []

    def embed_batch(self, images: np.ndarray) -> np.ndarray:
        assert images.dtype == np.uint8
        self.batches.append(images.shape)
        return images[:, :, :8].mean(axis=(1, 2), dtype=np.float32)


def drawn(name: str, left: tuple[int, int, int], right: tuple[int, int, int] = (0, 0, 0)) -> Sample:
    picture = Image.new("RGB", (16, 32), left)
    picture.paste(right, (8, 0, 16, 32))
    return Sample(picture.copy, name, 1, 0)


def test_embeddings_keep_the_order_of_the_samples() -> None:
    model, told = MeanColor(), []
    samples = [drawn(f"{i}", (i, 2 * i, 255 - i)) for i in range(100)]
    found = embed(model, samples, batch_size=16, workers=4, progress=told.append)
    np.testing.assert_array_equal(found.vectors, [[i, 2 * i, 255 - i] for i in range(100)])
    assert found.vectors.dtype == np.float32
    assert found.samples == tuple(samples)
    assert model.batches == [(16, 32, 16, 3)] * 6 + [(4, 32, 16, 3)]
    assert told == [16] * 6 + [4]


def test_flipping_averages_the_image_and_its_mirror() -> None:
    found = embed(MeanColor(), [drawn("a", (100, 0, 40), (0, 50, 60))], flip=True)
    np.testing.assert_allclose(found.vectors, [[50, 25, 50]])


def test_no_samples_give_no_embeddings() -> None:
    found = embed(MeanColor(), [])
    assert found.vectors.shape == (0, 3)


@pytest.mark.parametrize(("batch_size", "most_held"), [(4, 12), (20, 20 + 24 + 8)])
def test_pictures_are_decoded_ahead_but_only_a_batch_and_what_threads_are_at(batch_size: int, most_held: int) -> None:
    decoded, most, lock = [0], [0], threading.Lock()

    def picture() -> Image.Image:
        with lock:
            decoded[0] += 1
        return Image.new("RGB", (16, 32))

    class Slow(MeanColor):
        def embed_batch(self, images: np.ndarray) -> np.ndarray:
            time.sleep(0.02)
            most[0] = max(most[0], decoded[0] - sum(shape[0] for shape in self.batches))
            return super().embed_batch(images)

    embed(Slow(), [Sample(picture, f"{i}", 1, 0) for i in range(15 * batch_size)], batch_size=batch_size, workers=2)
    assert batch_size < most[0] <= most_held


def test_a_few_pictures_that_are_not_enlarged_import_no_torch() -> None:
    program = (
        "import sys; from tests.retrieval.test_embedding import MeanColor, drawn; from reidctl.retrieval import embed\n"
        "sys.exit(str(embed(MeanColor(), [drawn('a', (1, 2, 3))] * 8).vectors.sum()) + str('torch' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr == "48.0False\n"


def test_an_image_that_cannot_be_read_stops_with_its_name(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    samples = [drawn("a", (1, 2, 3)), Sample(broken, "broken", 1, 0), *(drawn(f"{i}", (0, 0, 0)) for i in range(50))]
    with pytest.raises(InputError, match=r"broken\.jpg"):
        embed(MeanColor(), samples, batch_size=8)


def test_an_embedding_that_is_not_finite_is_refused() -> None:
    model = MeanColor()
    model.embed_batch = lambda images: np.full((len(images), 3), np.nan, np.float32)
    with pytest.raises(InputError, match="2 embeddings are not finite"):
        embed(model, [drawn("a", (0, 0, 0)), drawn("b", (0, 0, 0))])


def test_pictures_that_functions_draw_are_taken_like_files(tmp_path: Path) -> None:
    picture = Image.new("RGB", (16, 32), (9, 8, 7))
    picture.save(tmp_path / "a.png")
    samples = [Sample(tmp_path / "a.png", "a", 1, 0), Sample(partial(Image.new, "RGB", (16, 32), (9, 8, 7)), "b", 1, 0)]
    np.testing.assert_array_equal(embed(MeanColor(), samples).vectors, [[9, 8, 7]] * 2)
