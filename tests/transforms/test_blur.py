import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional

from reidctl.transforms.blur import RandomBlur


@pytest.mark.parametrize("sigma", [0.1, 0.4, 1.0, 2.3])
def test_the_blur_is_the_one_of_torchvision(sigma: float, source: Image.Image) -> None:
    found = np.asarray(RandomBlur(1.0, (sigma, sigma))(source)).astype(int)
    size = 2 * int(np.ceil(3 * sigma)) + 1
    expected = np.asarray(functional.gaussian_blur(source, [size, size], [sigma, sigma])).astype(int)
    assert np.abs(found - expected).max() <= 1
    assert (found != expected).mean() < 0.001


def test_a_point_spreads_as_a_gaussian_of_a_sigma_within_its_bounds() -> None:
    image = Image.new("RGB", (61, 61))
    image.putpixel((30, 30), (255, 255, 255))
    axis = np.arange(61) - 30
    widths = []
    torch.manual_seed(0)
    for _ in range(30):
        levels = np.asarray(RandomBlur(1.0, (1.0, 2.0))(image))[..., 0].astype(float)
        widths.append(np.sqrt(255 / (2 * np.pi * levels.max())))  # the top of a Gaussian is 1 / (2 pi sigma squared)
        np.testing.assert_allclose(levels, levels.T, atol=1)
        assert np.abs((levels * axis).sum() / levels.sum()) < 0.05
    assert 0.95 < min(widths) < 1.2
    assert 1.8 < max(widths) < 2.1


def test_a_plain_image_stays_plain() -> None:
    plain = Image.new("RGB", (7, 5), (10, 250, 99))
    assert RandomBlur(1.0, (5.0, 5.0))(plain).tobytes() == plain.tobytes()
