"""What stands between the camera and the person."""

from __future__ import annotations

import numpy as np
from PIL import ImageDraw

from reidctl.datasets.synthetic.canvas import NEUTRAL, OVERSAMPLING, Canvas
from reidctl.datasets.synthetic.figure import Figure
from reidctl.datasets.synthetic.person import colour, person, shaded
from reidctl.datasets.synthetic.pose import Pose, View
from reidctl.datasets.synthetic.scene import GREENS, SIGNS, car

STRANGERS = 1_000_000


def occlude(canvas: Canvas, rng: np.random.Generator, seed: int, pitch: float) -> None:
    """Draw one of: a pole, a parked car, a bush, a stranger at the edge."""
    kind = int(rng.integers(4))
    width, height = canvas.shade.size
    draw, k = ImageDraw.Draw(canvas.image), OVERSAMPLING
    if kind == 0:
        x, wide = rng.uniform(0.1, 0.9) * width, rng.uniform(0.06, 0.13) * width
        paint = shaded((150, 150, 150), rng.uniform(0.4, 1.2))
        draw.rectangle((x * k, 0, (x + wide) * k, height * k), fill=paint)
        draw.rectangle((x * k, 0, (x + wide * 0.35) * k, height * k), fill=shaded(paint, 0.7))
        ImageDraw.Draw(canvas.shade).rectangle((x, 0, x + wide, height), fill=NEUTRAL)
    elif kind == 1:
        long, ground = rng.uniform(1.6, 2.4) * width, height * rng.uniform(1.0, 1.12)
        left = rng.uniform(-0.8, -0.1) * width
        top = ground - long * 0.4
        ImageDraw.Draw(canvas.shade).rectangle((0, top, width, height), fill=NEUTRAL)
        car(draw, (left * k, ground * k), long * k, colour(rng, SIGNS))
    elif kind == 2:
        green = colour(rng, GREENS)
        middle, top = rng.uniform(0, 1) * width, height * rng.uniform(0.72, 0.92)
        for x, y, tone in zip(rng.normal(middle, 0.25 * width, 30), rng.uniform(top, height, 30), rng.uniform(0.6, 1.2, 30), strict=True):
            r = 0.09 * width
            draw.ellipse(((x - r) * k, (y - r) * k, (x + r) * k, (y + r) * k), fill=shaded(green, tone))
    else:
        stranger = person(seed, STRANGERS + int(rng.integers(500)))
        side = 1 if rng.random() < 0.5 else -1
        pose = Pose(View(rng.uniform(-3.14, 3.14), pitch), rng.uniform(0, 6.28), rng.uniform(0, 1), ("swing", "swing"), stranger.breadth)
        canvas.place((width * (0.5 + side * rng.uniform(0.46, 0.6)), height * rng.uniform(0.97, 1.1)), height * rng.uniform(0.85, 1.0))
        Figure(canvas, stranger, pose).draw()
