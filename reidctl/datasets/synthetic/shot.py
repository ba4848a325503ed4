"""One picture of one person by one camera, drawn when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from reidctl.datasets.synthetic.camera import Camera, camera, develop
from reidctl.datasets.synthetic.canvas import OVERSAMPLING, Canvas
from reidctl.datasets.synthetic.chance import Purpose, generator
from reidctl.datasets.synthetic.figure import draw_person
from reidctl.datasets.synthetic.occlusion import Foreground, occlude
from reidctl.datasets.synthetic.person import Person, person, pick
from reidctl.datasets.synthetic.pose import Gesture, Pose, View
from reidctl.datasets.synthetic.scene import scene


@dataclass(frozen=True, slots=True)
class Shot:
    """The picture `index` of person `person` by `camera` in the world `seed`; `height` pixels, half as wide.

    Calling it draws the picture: the same pixels in every process and order of calls.
    """

    seed: int
    person: int
    camera: int
    index: int
    height: int

    def __call__(self) -> Image.Image:
        rng = generator(self.seed, Purpose.SHOT, self.person, self.camera, self.index)
        seen_by, who = camera(self.seed, self.camera), person(self.seed, self.person)
        pose = _pose(who, seen_by, rng)
        canvas = self._canvas(who, seen_by, rng)
        draw_person(canvas, who, pose)
        if rng.random() < seen_by.crowding:
            occlude(Foreground(canvas, rng, self.seed, seen_by.pitch))
        return develop(*canvas.finish(), seen_by, rng)

    def _canvas(self, who: Person, seen_by: Camera, rng: np.random.Generator) -> Canvas:
        """The background and where the detector's box puts the person in it."""
        width, height = self.height // 2, self.height
        view = scene(self.seed, self.camera, height * OVERSAMPLING)
        w, h = width * OVERSAMPLING, height * OVERSAMPLING
        left, top = int(rng.random() * (view.width - w + 1)), int(rng.random() * (view.height - h + 1))
        background = view.crop((left, top, left + w, top + h))
        zoom, foot = rng.uniform(0.89, 0.99), rng.uniform(0.95, 1.0)
        if rng.random() < 0.08:
            zoom, foot = zoom * 1.25, foot + rng.uniform(0.0, 0.22)
        middle = width * (0.5 + rng.uniform(-0.07, 0.07))
        return Canvas(background, (middle, height * foot), height * zoom * who.stature, seen_by.light)


def _pose(who: Person, seen_by: Camera, rng: np.random.Generator) -> Pose:
    yaw = seen_by.heading + rng.normal(0.0, 0.5) + (np.pi if rng.random() < 0.35 else 0.0)
    gestures: tuple[Gesture, ...] = ("swing", "pocket", "phone", "hold")
    left: Gesture = "swing" if who.bag == "handbag" else pick(rng, gestures, (80, 8, 6, 6))
    right: Gesture = pick(rng, gestures, (76, 8, 8, 8))
    stride = 0.0 if rng.random() < 0.15 else rng.uniform(0.3, 1.0)
    return Pose(View(yaw, seen_by.pitch), rng.uniform(0.0, 2 * np.pi), stride, (left, right), who.breadth)
