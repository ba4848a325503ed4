"""What stands between the camera and the person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import ImageDraw

from reidctl.datasets.synthetic.canvas import NEUTRAL, OVERSAMPLING, Canvas
from reidctl.datasets.synthetic.figure import draw_person
from reidctl.datasets.synthetic.person import colour, person, shaded
from reidctl.datasets.synthetic.pose import Pose, View
from reidctl.datasets.synthetic.scene import GREENS, SIGNS, draw_car

STRANGERS = range(1_000_000, 1_000_500)


@dataclass(frozen=True, slots=True)
class Foreground:
    """Where to draw: on `canvas`, seen `pitch` radians from above, strangers of the world `seed`."""

    canvas: Canvas
    rng: np.random.Generator
    seed: int
    pitch: float

    @property
    def size(self) -> tuple[int, int]:
        return self.canvas.shade.size

    def unshade(self, box: tuple[float, float, float, float]) -> None:
        """Take the person's light off the pixels of `box`."""
        ImageDraw.Draw(self.canvas.shade).rectangle(box, fill=NEUTRAL)


def occlude(foreground: Foreground) -> None:
    """Draw a pole, a parked car, a bush or a stranger at the edge."""
    OBSTACLES[int(foreground.rng.integers(len(OBSTACLES)))](foreground)


def _pole(place: Foreground) -> None:
    rng, (width, height), k = place.rng, place.size, OVERSAMPLING
    x, wide = rng.uniform(0.1, 0.9) * width, rng.uniform(0.06, 0.13) * width
    paint = shaded((150, 150, 150), rng.uniform(0.4, 1.2))
    draw = ImageDraw.Draw(place.canvas.image)
    draw.rectangle((x * k, 0, (x + wide) * k, height * k), fill=paint)
    draw.rectangle((x * k, 0, (x + wide * 0.35) * k, height * k), fill=shaded(paint, 0.7))
    place.unshade((x, 0, x + wide, height))


def _car(place: Foreground) -> None:
    rng, (width, height), k = place.rng, place.size, OVERSAMPLING
    long, ground = rng.uniform(1.6, 2.4) * width, height * rng.uniform(1.0, 1.12)
    left = rng.uniform(-0.8, -0.1) * width
    place.unshade((0, ground - long * 0.4, width, height))
    draw_car(ImageDraw.Draw(place.canvas.image), (left * k, ground * k), long * k, colour(rng, SIGNS))


def _bush(place: Foreground) -> None:
    rng, (width, height), k = place.rng, place.size, OVERSAMPLING
    green, middle, top = colour(rng, GREENS), rng.uniform(0, 1) * width, height * rng.uniform(0.72, 0.92)
    draw, r = ImageDraw.Draw(place.canvas.image), 0.09 * width
    for x, y, tone in zip(
        rng.normal(middle, 0.25 * width, 30), rng.uniform(top, height, 30), rng.uniform(0.6, 1.2, 30), strict=True
    ):
        draw.ellipse(((x - r) * k, (y - r) * k, (x + r) * k, (y + r) * k), fill=shaded(green, tone))


def _stranger(place: Foreground) -> None:
    rng, (width, height) = place.rng, place.size
    who = person(place.seed, int(rng.integers(STRANGERS.start, STRANGERS.stop)))
    side = 1 if rng.random() < 0.5 else -1
    view = View(rng.uniform(-np.pi, np.pi), place.pitch)
    pose = Pose(view, rng.uniform(0, 2 * np.pi), rng.uniform(0, 1), ("swing", "swing"), who.breadth)
    origin = width * (0.5 + side * rng.uniform(0.46, 0.6)), height * rng.uniform(0.97, 1.1)
    place.canvas.place(origin, height * rng.uniform(0.85, 1.0))
    draw_person(place.canvas, who, pose)


OBSTACLES: tuple[Callable[[Foreground], None], ...] = (_pole, _car, _bush, _stranger)
