import numpy as np
import torch
from PIL import Image

from reidctl.transforms.figures import RandomFigures

GREY = Image.new("RGB", (128, 256), (90, 91, 92))


def drawn(figures: RandomFigures, seed: int) -> tuple[np.ndarray, set[tuple[int, ...]]]:
    """Mask of what changed and the colours there."""
    torch.manual_seed(seed)
    after = np.asarray(figures(GREY))
    mask = (after != np.asarray(GREY)).any(axis=2)
    return mask, {tuple(color) for color in after[mask].tolist()}


def test_all_three_figures_are_drawn_in_their_own_colours() -> None:
    counts = [len(drawn(RandomFigures(1.0, 1.0), seed)[1]) for seed in range(40)]
    # A circle may lie outside the image, or one figure hide another.
    assert max(counts) == 3
    assert sum(count == 3 for count in counts) > 30


def test_single_draws_exactly_one_figure() -> None:
    counts = [len(drawn(RandomFigures(1.0, single=True), seed)[1]) for seed in range(60)]
    assert set(counts) <= {0, 1}
    assert sum(counts) > 55


def test_each_figure_comes_with_its_own_probability() -> None:
    none = sum(not drawn(RandomFigures(1.0, 0.5), seed)[1] for seed in range(400))
    assert 0.08 * 400 < none < 0.18 * 400  # (1 - 0.5)³ is 0.125


def test_figures_can_be_black() -> None:
    colors = set().union(*(drawn(RandomFigures(1.0, 1.0, random_color=False), seed)[1] for seed in range(10)))
    assert colors == {(0, 0, 0)}


def test_outlines_are_as_thick_as_asked() -> None:
    thin, thick = (
        np.mean([drawn(RandomFigures(1.0, single=True, thickness=(t, t)), seed)[0].sum() for seed in range(80)])
        for t in (1, 6)
    )
    assert 4.5 < thick / thin < 7.5


def test_a_circle_has_the_asked_radius() -> None:
    boxes = []
    for seed in range(200):
        mask, _ = drawn(RandomFigures(1.0, single=True, thickness=(1, 1), radius=(20, 20)), seed)
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if len(rows) == len(columns) == 41 and not mask[rows[20], columns[20]] and mask[rows[0], columns[20]]:
            centre = rows[20], columns[20]
            y, x = np.nonzero(mask)
            boxes.append(np.hypot(y - centre[0], x - centre[1]))
    assert len(boxes) > 10
    assert all(abs(radii - 20).max() < 1 for radii in boxes)
