from typing import Any

import numpy as np
import openvino
import pytest
from PIL import Image

from reidctl.export.resize import resized
from reidctl.runtimes.engine import engine


@pytest.fixture(scope="module")
def to_24_by_13() -> Any:
    from openvino import opset13 as operations

    pictures = operations.parameter(openvino.PartialShape([-1, -1, -1, 3]), np.float32)
    model = openvino.Model([operations.result(resized(pictures, 24, 13))], [pictures])
    return engine().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


@pytest.mark.parametrize("size", [(24, 13), (7, 5), (1, 1), (100, 13), (24, 90), (331, 217)])
def test_it_is_pillows_bilinear_filter_but_for_the_rounding(to_24_by_13: Any, size: tuple[int, int]) -> None:
    """Pillow rounds after each of its two passes, so a level lies within 1 of the exact one."""
    pictures = np.random.default_rng(0).integers(0, 256, (2, *size, 3), dtype=np.uint8)
    expected = [np.asarray(Image.fromarray(one).resize((13, 24), Image.Resampling.BILINEAR)) for one in pictures]
    found = to_24_by_13([pictures.astype(np.float32)])[0]
    assert found.shape == (2, 3, 24, 13)
    np.testing.assert_allclose(found.transpose(0, 2, 3, 1), expected, atol=1.001)


def test_nothing_happens_to_a_picture_of_the_right_size(to_24_by_13: Any) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (1, 24, 13, 3)).astype(np.float32)
    np.testing.assert_array_equal(to_24_by_13([pictures])[0].transpose(0, 2, 3, 1), pictures)


def test_one_row_worked_by_hand(to_24_by_13: Any) -> None:
    """26 pixels to 13: the triangle reaches 2 pixels of the picture to each side: 1/8, 3/8, 3/8 and 1/8 of four."""
    pictures = np.zeros((1, 24, 26, 3), np.float32)
    pictures[:, :, 10] = 80
    found = to_24_by_13([pictures])[0]
    np.testing.assert_allclose(found[0, 0, 0, 3:8], [0, 10, 30, 0, 0], atol=1e-4)
