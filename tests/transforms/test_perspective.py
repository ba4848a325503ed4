import numpy as np
import torch
from PIL import Image
from torchvision.transforms.v2 import functional

from reidctl.transforms.perspective import RandomPerspective

WHITE = Image.new("RGB", (81, 121), (255, 255, 255))


def corners(seed: int, distortion: float, size: tuple[int, int]) -> list[list[int]]:
    """Where the corners go by the rule, half a side times distortion: x before y, clockwise from the top left."""
    torch.manual_seed(seed)
    torch.rand(()), torch.rand(1)  # whether it acts, drawn here and by torchvision
    width, height = size
    reach_x, reach_y = int(distortion * (width // 2)), int(distortion * (height // 2))
    found = []
    for right, down in ((0, 0), (1, 0), (1, 1), (0, 1)):
        x = int(torch.randint(width - 1 - reach_x, width, (1,)) if right else torch.randint(0, reach_x + 1, (1,)))
        y = int(torch.randint(height - 1 - reach_y, height, (1,)) if down else torch.randint(0, reach_y + 1, (1,)))
        found.append([x, y])
    return found


def test_each_corner_moves_inwards_by_up_to_the_asked_share_of_half_a_side(source: Image.Image) -> None:
    width, height = source.size
    edges = [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]
    for seed in range(10):
        ends = corners(seed, 0.4, source.size)
        torch.manual_seed(seed)
        found = RandomPerspective(1.0, 0.4)(source)
        assert found.tobytes() == functional.perspective(source, edges, ends).tobytes()


def test_what_comes_in_is_black_and_less_than_the_distortion_allows() -> None:
    shares = []
    for seed in range(60):
        torch.manual_seed(seed)
        image = np.asarray(RandomPerspective(1.0, 0.5)(WHITE))
        assert image[60, 40].tolist() == [255, 255, 255], "the centre stays inside"
        shares.append((image == 0).all(axis=2).mean())
    # Were all four corners moved the whole way, half of each side would be left: a quarter of the image.
    assert 0 < max(shares) < 0.75
    assert np.mean(shares) > 0.2


def test_no_distortion_changes_no_pixel(source: Image.Image) -> None:
    found = np.asarray(RandomPerspective(1.0, 0.0)(source)).astype(int)
    assert np.abs(found - np.asarray(source)).max() <= 1


def test_a_line_of_pixels_is_left_as_it_is() -> None:
    for size in ((1, 9), (9, 1), (1, 1)):
        line = Image.new("RGB", size)
        assert RandomPerspective(1.0, 0.9)(line) is line
