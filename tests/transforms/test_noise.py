import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional

from reidctl.transforms.noise import RandomNoise

GREY = Image.new("RGB", (64, 128), (128, 128, 128))


def noise(transform: RandomNoise) -> np.ndarray:
    return np.asarray(transform(GREY)).astype(float) - 128


@pytest.mark.parametrize("sigma", [0.02, 0.1])
def test_the_noise_has_the_asked_deviation_as_that_of_torchvision_has(sigma: float) -> None:
    torch.manual_seed(0)
    found = noise(RandomNoise(1.0, (sigma, sigma)))
    levels = functional.gaussian_noise(functional.pil_to_tensor(GREY).float() / 255, 0.0, sigma)
    expected = 255 * levels.numpy() - 128
    # 24,576 draws know their mean to 0.6 % and their deviation to 0.5 % of sigma.
    assert found.mean() == pytest.approx(0, abs=0.03 * 255 * sigma)
    assert found.std() == pytest.approx(255 * sigma, rel=0.03)
    assert found.std() == pytest.approx(expected.std(), rel=0.03)
    assert abs(np.corrcoef(found.reshape(-1, 3).T) - np.eye(3)).max() < 0.05, "channels are independent"


def test_sums_are_rounded_and_cut_to_a_byte() -> None:
    torch.manual_seed(4)
    drawn = torch.rand(1), torch.rand(1), torch.randn(2, 3, 3)
    torch.manual_seed(4)
    image = Image.fromarray(np.array([[[0, 5, 250]] * 3, [[255, 128, 90]] * 3], dtype=np.uint8))
    found = np.asarray(RandomNoise(1.0, (0.2, 0.2))(image))
    expected = [
        [[min(max(round(level + 51 * z), 0), 255) for level, z in zip(*pixel, strict=True)] for pixel in row]
        for row in [
            list(zip(levels, normal, strict=True))
            for levels, normal in zip(np.asarray(image).tolist(), drawn[2].tolist(), strict=True)
        ]
    ]
    np.testing.assert_array_equal(found, expected)
    assert {0, 255} <= set(found.ravel().tolist())


def test_deviations_are_spread_over_their_bounds() -> None:
    torch.manual_seed(0)
    deviations = [noise(RandomNoise(1.0, (0.02, 0.1))).std() / 255 for _ in range(100)]
    assert 0.018 < min(deviations) < 0.03
    assert 0.09 < max(deviations) < 0.102


def test_no_noise_changes_no_pixel(source: Image.Image) -> None:
    assert RandomNoise(1.0, (0.0, 0.0))(source).tobytes() == source.tobytes()
