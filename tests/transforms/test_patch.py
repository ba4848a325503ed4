from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from reidctl.errors import InputError
from reidctl.transforms.patch import RandomPatch
from reidctl.types import Sample

GREY = Image.new("RGB", (64, 128), (90, 90, 90))
COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
PLAIN = tuple(Sample(partial(Image.new, "RGB", (40, 50), c), str(c), i, 0) for i, c in enumerate(COLOURS))


def ramp() -> Image.Image:
    """Twice as large as GREY; half its x in red, half its y in green: the place in GREY that a pixel stands for."""
    y, x = np.mgrid[0:256, 0:128]
    return Image.fromarray(np.stack([x // 2, y // 2, 0 * x + 255], axis=2).astype(np.uint8))


RAMP = (Sample(ramp, "ramp", 0, 0),)


def changed(transform: RandomPatch, image: Image.Image = GREY) -> tuple[np.ndarray, np.ndarray]:
    after = np.asarray(transform(image))
    return after, (after != np.asarray(image)).any(axis=2)


def test_one_rectangle_of_the_asked_shape_shows_one_other_image() -> None:
    torch.manual_seed(0)
    transform = RandomPatch(1.0, (0.1, 0.3), (0.5, 2.0), angle=0, samples=PLAIN)
    seen, tops, lefts = set(), [], []
    for _ in range(300):
        after, mask = changed(transform)
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        assert mask.sum() == len(rows) * len(columns), "a rectangle"
        [colour] = {tuple(pixel) for pixel in after[mask].tolist()}
        seen.add(colour)
        assert 0.1 * 0.96 < mask.mean() < 0.3 * 1.04
        assert 0.5 * 0.94 < len(rows) / len(columns) < 2 * 1.06
        tops.append(rows[0])
        lefts.append(columns[0])
    assert seen == set(COLOURS), "every image gives patches"
    assert min(tops) < 3
    assert min(lefts) < 3


def test_the_patch_is_a_window_of_the_other_image_at_this_images_size() -> None:
    torch.manual_seed(0)
    transform = RandomPatch(1.0, (0.1, 0.3), (0.5, 2.0), angle=0, samples=RAMP)
    mirrored = []
    for _ in range(60):
        after, mask = changed(transform)
        patch = after[mask.any(axis=1)][:, mask.any(axis=0)].astype(int)
        rightwards = np.diff(patch[..., 0], axis=1)
        downwards = np.diff(patch[..., 1], axis=0)
        mirrored.append(rightwards.mean() < 0)
        assert abs(abs(rightwards.mean()) - 1) < 0.1, "one pixel to the right is one pixel of the scaled image"
        assert abs(downwards.mean() - 1) < 0.1
        assert patch[..., 0].max() <= 63
        assert patch[..., 1].max() <= 127
    assert 15 < sum(mirrored) < 45, "half of them"


def test_a_turned_patch_brings_no_black_corners() -> None:
    torch.manual_seed(0)
    transform = RandomPatch(1.0, (0.2, 0.4), (0.5, 2.0), angle=45, samples=PLAIN)
    turned = 0
    for _ in range(60):
        after, mask = changed(transform)
        assert not (after == 0).all(axis=2).any()
        turned += int(mask.sum() < len(np.flatnonzero(mask.any(axis=1))) * len(np.flatnonzero(mask.any(axis=0))))
    assert 10 < turned < 50


def test_what_cannot_fit_leaves_the_image() -> None:
    assert RandomPatch(1.0, (1.0, 1.0), (50.0, 100.0), samples=PLAIN)(GREY) is GREY


def test_an_image_that_cannot_be_read_is_named(tmp_path) -> None:
    with pytest.raises(InputError, match="gone"):
        RandomPatch(1.0, samples=(Sample(tmp_path / "gone.jpg", "gone", 0, 0),))(GREY)
