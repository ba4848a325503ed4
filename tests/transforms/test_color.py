import colorsys
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional

from reidctl.transforms.color import ColorJitter, RandomGray

ORIGINAL = json.loads((Path(__file__).parents[1] / "parity" / "transforms.json").read_text())["results"]
STEPS = {
    "brightness": functional.adjust_brightness,
    "contrast": functional.adjust_contrast,
    "saturation": functional.adjust_saturation,
    "hue": functional.adjust_hue,
}


def jitter(seed: int, image: Image.Image, **strengths: float) -> Image.Image:
    torch.manual_seed(seed)
    return ColorJitter(1.0, **{**dict.fromkeys(STEPS, 0.0), **strengths})(image)


def difference(found: Image.Image, expected: torch.Tensor) -> int:
    levels = (expected * 255).round().permute(1, 2, 0).numpy().astype(int)
    return int(np.abs(np.asarray(found).astype(int) - levels).max())


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("seed", range(5))
def test_each_step_is_the_one_of_torchvision_on_float_images(step: str, seed: int, source: Image.Image) -> None:
    strength = 0.5 if step == "hue" else 0.9
    torch.manual_seed(seed)
    torch.rand(()), torch.randperm(4)
    change = (2 * torch.rand(4)[list(STEPS).index(step)].item() - 1) * strength
    image = functional.to_dtype(functional.pil_to_tensor(source), torch.float32, scale=True)
    expected = STEPS[step](image, change if step == "hue" else 1 + change)
    assert difference(jitter(seed, source, **{step: strength}), expected) <= 1


def test_the_steps_are_taken_in_the_order_drawn(source: Image.Image) -> None:
    strengths = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.2}
    orders = set()
    for seed in range(12):
        torch.manual_seed(seed)
        torch.rand(())
        order = torch.randperm(4).tolist()
        changes = (2 * torch.rand(4) - 1).tolist()
        orders.add(tuple(order))
        expected = functional.to_dtype(functional.pil_to_tensor(source), torch.float32, scale=True)
        for step in order:
            key = list(STEPS)[step]
            change = changes[step] * strengths[key]
            expected = STEPS[key](expected, change if key == "hue" else 1 + change)
        assert difference(jitter(seed, source, **strengths), expected) <= 1
    assert len(orders) > 5


def test_hue_turns_the_circle_of_hsv() -> None:
    levels = [(r, g, b) for r in (0, 60, 200, 255) for g in (0, 60, 200, 255) for b in (0, 60, 199, 255)]
    image = Image.fromarray(np.array([levels], dtype=np.uint8))
    torch.manual_seed(1)
    torch.rand(()), torch.randperm(4)
    turns = (2 * torch.rand(4)[3].item() - 1) * 0.5
    found = np.asarray(jitter(1, image, hue=0.5))[0].astype(int)
    for before, after in zip(levels, found.tolist(), strict=True):
        h, s, v = colorsys.rgb_to_hsv(*(level / 255 for level in before))
        expected = [255 * level for level in colorsys.hsv_to_rgb((h + turns) % 1, s, v)]
        assert after == pytest.approx(expected, abs=0.51)


def test_no_strength_changes_no_pixel(source: Image.Image) -> None:
    assert jitter(0, source).tobytes() == source.tobytes()


def test_every_strength_stays_within_its_bounds() -> None:
    grey = Image.new("RGB", (2, 2), (100, 100, 100))
    levels = {jitter(seed, grey, brightness=0.15).getpixel((0, 0))[0] for seed in range(300)}
    assert (min(levels), max(levels)) == (85, 115)


def test_grey_has_equal_channels_and_the_pixels_of_the_original(source: Image.Image) -> None:
    grey = np.asarray(RandomGray(1.0)(source))
    assert (grey == grey[..., :1]).all()
    assert hashlib.sha256(grey.tobytes()).hexdigest() == ORIGINAL["RandomGrayscale_p1"][0]["sha256"]
