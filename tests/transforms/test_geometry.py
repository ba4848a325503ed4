import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional

from reidctl.transforms.geometry import RandomCrop, RandomFlip, RandomPadding, RandomRotate, Resize

ORIGINAL = json.loads((Path(__file__).parents[1] / "parity" / "transforms.json").read_text())["results"]


def digest(image: Image.Image) -> str:
    return hashlib.sha256(np.asarray(image).tobytes()).hexdigest()


def test_resize_gives_the_pixels_of_the_original(arrays: dict[str, np.ndarray], source: Image.Image) -> None:
    resized = np.asarray(Resize(image_size=(256, 128))(source))
    np.testing.assert_array_equal(resized, arrays["preprocess.resized_u8"])


@pytest.mark.parametrize("size", [(64, 32), (90, 72), (300, 200), (180, 72)])
def test_resize_is_the_one_of_torchvision(size: tuple[int, int], source: Image.Image) -> None:
    assert Resize(image_size=size)(source) == functional.resize(source, list(size))


def test_flip_gives_the_pixels_of_the_original(source: Image.Image) -> None:
    untouched, flipped = (case["sha256"] for case in ORIGINAL["RandomHorizontalFlip_p0.5"])
    assert digest(source) == untouched
    assert digest(RandomFlip(1.0)(source)) == flipped


def test_flip_twice_is_identity(source: Image.Image) -> None:
    flip = RandomFlip(1.0)
    assert flip(source) != source
    assert flip(flip(source)) == source


def test_rotation_reaches_every_whole_degree_and_the_pixels_of_the_original(source: Image.Image) -> None:
    torch.manual_seed(0)
    rotate = RandomRotate(1.0, 5)
    found = {digest(rotate(source)) for _ in range(300)}
    assert found == {digest(functional.rotate(source, degrees)) for degrees in range(-5, 6)}
    assert {case["sha256"] for case in ORIGINAL["RandomRotate_p1"]} <= found


def test_padding_keeps_the_whole_image_inside_a_grey_border(source: Image.Image) -> None:
    torch.manual_seed(0)
    inner, borders, greys = np.asarray(source), set(), set()
    for _ in range(300):
        padded = np.asarray(RandomPadding(1.0, 10)(source))
        extra = padded.shape[0] - 180, padded.shape[1] - 72
        places = [
            (top, left)
            for top in range(extra[0] + 1)
            for left in range(extra[1] + 1)
            if np.array_equal(padded[top : top + 180, left : left + 72], inner)
        ]
        assert len(places) == 1
        (top, left) = places[0]
        borders |= {top, left, extra[0] - top, extra[1] - left}
        outside = np.ones(padded.shape[:2], dtype=bool)
        outside[top : top + 180, left : left + 72] = False
        levels = np.unique(padded[outside])
        assert len(levels) == 1
        greys.add(int(levels[0]))
    assert borders == set(range(11))
    assert min(greys) < 10
    assert max(greys) > 245


@pytest.mark.parametrize("align", [False, True])
def test_a_crop_is_a_window_of_the_image_within_its_scale(align: bool, source: Image.Image) -> None:
    torch.manual_seed(0)
    rows = np.arange(180, dtype=np.uint8)[:, None].repeat(72, axis=1)
    columns = np.arange(72, dtype=np.uint8)[None].repeat(180, axis=0)
    coordinates = Image.fromarray(np.stack([rows, columns, rows], axis=2))
    crop = RandomCrop(1.0, 0.8, align, image_size=(256, 128))
    windows = []
    for _ in range(200):
        window = np.asarray(crop(coordinates)).astype(int)
        height, width = window.shape[:2]
        np.testing.assert_array_equal(window[:, 0, 0], window[0, 0, 0] + np.arange(height))
        np.testing.assert_array_equal(window[0, :, 1], window[0, 0, 1] + np.arange(width))
        windows.append((height, width, window[0, 0, 0], window[0, 0, 1]))
    heights, widths, tops, lefts = (set(values) for values in zip(*windows, strict=True))
    # The largest window of 256 : 128 in 180 x 72 is 144 x 72.
    tallest = 144 if align else 180
    assert {min(heights), max(heights)} <= set(range(round(0.8 * tallest), tallest + 1))
    assert {min(widths), max(widths)} <= set(range(round(0.8 * 72), 73))
    assert all(abs(height / width - 2) < 0.03 for height, width, *_ in windows) == align
    assert min(tops) == min(lefts) == 0
    assert len(heights) > 20


def test_a_crop_at_full_scale_is_the_image(source: Image.Image) -> None:
    assert RandomCrop(1.0, 1.0, image_size=(256, 128))(source) == source
