import numpy as np
import pytest
import torch
from PIL import Image

from reidctl.transforms.erase import RandomErase

IMAGE = Image.new("RGB", (128, 256), (10, 20, 30))


def erased_box(erase: RandomErase, image: Image.Image) -> tuple[int, int, int, int] | None:
    """(top, left, height, width) of the only rectangle that changed; fails where the change is no rectangle."""
    before, after = np.asarray(image), np.asarray(erase(image))
    changed = (before != after).any(axis=2)
    if not changed.any():
        return None
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    inside = np.zeros_like(changed)
    inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    np.testing.assert_array_equal(changed, inside)
    assert (after[changed] == erase.fill).all()
    return int(rows[0]), int(columns[0]), len(rows), len(columns)


def test_exactly_one_rectangle_of_the_asked_shape_is_erased() -> None:
    torch.manual_seed(0)
    boxes = [erased_box(RandomErase(1.0), IMAGE) for _ in range(400)]
    assert None not in boxes
    for _, _, height, width in boxes:
        # Sides are whole pixels: half a pixel of either moves area and aspect by under 2 %.
        assert 0.2 * 0.98 <= height * width / (256 * 128) <= 0.4 * 1.02
        assert 0.3 * 0.98 <= height / width <= 3.3 * 1.02
    assert min(box[0] for box in boxes) < 5
    assert min(box[1] for box in boxes) == 0
    assert max(box[0] + box[2] for box in boxes) > 251
    assert max(box[1] + box[3] for box in boxes) == 128


def test_area_and_aspect_are_spread_over_their_ranges() -> None:
    torch.manual_seed(0)
    boxes = [erased_box(RandomErase(1.0, (0.1, 0.2), (1.0, 2.0)), IMAGE) for _ in range(400)]
    areas = [height * width / (256 * 128) for _, _, height, width in boxes]
    aspects = [height / width for _, _, height, width in boxes]
    assert np.quantile(areas, [0.02, 0.5, 0.98]) == pytest.approx([0.102, 0.15, 0.198], abs=0.01)
    assert np.quantile(aspects, [0.02, 0.5, 0.98]) == pytest.approx([1.02, 1.5, 1.98], abs=0.1)


def test_a_whole_image_can_be_erased() -> None:
    square = Image.new("RGB", (40, 40))
    assert erased_box(RandomErase(1.0, (1.0, 1.0), (1.0, 1.0), (1, 2, 3)), square) == (0, 0, 40, 40)


def test_what_cannot_fit_leaves_the_image() -> None:
    assert RandomErase(1.0, (1.0, 1.0), (1.0, 1.0))(IMAGE) is IMAGE
