import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFilter

from reidctl.transforms.grid import RandomGrid, grid_lines

GREY = Image.new("RGB", (128, 256), (90, 91, 92))


def near(mask: np.ndarray) -> np.ndarray:
    """Pixels at most two from the mask."""
    return np.asarray(Image.fromarray(mask).filter(ImageFilter.MaxFilter(5)))


def drawn(grid: RandomGrid, seed: int) -> np.ndarray:
    torch.manual_seed(seed)
    return (np.asarray(grid(GREY)) != np.asarray(GREY)).any(axis=2)


@pytest.mark.parametrize(("case", "step", "angle", "right"), [("seed0", 56, 103, 3), ("seed1", 55, 120, 8)])
def test_lines_run_where_the_original_drew_them(
    case: str, step: int, angle: int, right: int, arrays: dict[str, np.ndarray]
) -> None:
    original = (arrays[f"RandomGrid_p1.{case}"] != arrays["source"]).any(axis=2)
    canvas = Image.new("L", (72, 180))
    for segment in grid_lines((72, 180), step, angle, (right, 16)):
        ImageDraw.Draw(canvas).line(segment, fill=1, width=2)
    ours = np.asarray(canvas).astype(bool)
    assert not (ours & ~near(original)).any()
    assert not (original & ~near(ours)).any()
    assert ours.mean() == pytest.approx(original.mean(), rel=0.2)


def test_upright_lines_are_a_step_apart() -> None:
    lines = list(grid_lines((128, 256), 32, 0, (0, 0)))
    # Slanted by one step over the canvas of eight times the image: 32 / 1024 and 32 / 2048.
    upright = sorted(
        (x0 + x1) / 2 + (128 - (y0 + y1) / 2) * 32 / 2048 for x0, y0, x1, y1 in lines if abs(y1 - y0) > abs(x1 - x0)
    )
    level = sorted((y0 + y1) / 2 + (64 - (x0 + x1) / 2) / 32 for x0, y0, x1, y1 in lines if abs(x1 - x0) > abs(y1 - y0))
    assert np.diff(upright) == pytest.approx([32] * (len(upright) - 1))
    assert np.diff(level) == pytest.approx([32] * (len(level) - 1))
    assert upright[0] < 0
    assert upright[-1] > 128
    assert level[0] < 0
    assert level[-1] > 256


def test_the_grid_moves_along_both_axes() -> None:
    before, after = (np.array(list(grid_lines((128, 256), 40, 0, shift))) for shift in ((0, 0), (5, 7)))
    upright = [lines[np.abs(lines[:, 3] - lines[:, 1]) > 200][:, [0, 2]].mean(axis=1) for lines in (before, after)]
    level = [lines[np.abs(lines[:, 3] - lines[:, 1]) < 200][:, [1, 3]].mean(axis=1) for lines in (before, after)]
    # The window goes right and down, so the lines go left and up; their slant adds a fraction of a pixel.
    assert any(abs(x - y + 5) < 0.5 for x in upright[1] for y in upright[0])
    assert any(abs(x - y + 7) < 0.5 for x in level[1] for y in level[0])


def test_the_two_axes_move_independently_by_up_to_16_pixels() -> None:
    # At the canvas's centre a line has moved by half a step: one runs at x = 96 and one at y = 160, give or take 16.
    grid = RandomGrid(1.0, (64, 64), (0, 0), 1)
    masks = [drawn(grid, seed) for seed in range(300)]
    right = [int(np.flatnonzero(mask[128, 72:120])[0]) + 72 - 96 for mask in masks]
    down = [int(np.flatnonzero(mask[136:184, 64])[0]) + 136 - 160 for mask in masks]
    for moves in (right, down):
        assert min(moves) == pytest.approx(-16, abs=1)  # the slant moves it a little
        assert max(moves) == pytest.approx(16, abs=1)
    assert abs(np.corrcoef(right, down)[0, 1]) < 0.2


def test_one_colour_crosses_the_image_in_both_directions() -> None:
    for seed in range(30):
        torch.manual_seed(seed)
        after = np.asarray(RandomGrid(1.0)(GREY))
        mask = (after != np.asarray(GREY)).any(axis=2)
        assert len(np.unique(after[mask], axis=0)) == 1
        assert 0.02 < mask.mean() < 0.2


def test_thickness_and_step_set_the_covered_share() -> None:
    def share(**parameters: object) -> float:
        return float(np.mean([drawn(RandomGrid(1.0, **parameters), seed).mean() for seed in range(10)]))  # type: ignore[arg-type]

    assert share(step=(32, 32), thickness=4) == pytest.approx(1 - (1 - 4 / 32) ** 2, rel=0.2)
    assert share(step=(64, 64), thickness=4) == pytest.approx(1 - (1 - 4 / 64) ** 2, rel=0.2)


def test_the_lines_take_a_given_colour() -> None:
    torch.manual_seed(0)
    after = np.asarray(RandomGrid(1.0, fill=(0, 0, 0))(GREY))
    assert {tuple(pixel) for pixel in after.reshape(-1, 3).tolist()} == {(90, 91, 92), (0, 0, 0)}
