"""The shape of a trunk seen from any side, for the clothes that lie on it."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, hypot, sin

from reidctl.datasets.synthetic.canvas import XY, Canvas
from reidctl.datasets.synthetic.person import RGB, Person
from reidctl.datasets.synthetic.pose import Point, Pose

# (height, half width, half depth) from neck to hip, in body heights
TRUNK = (
    (0.865, 0.04, 0.04),
    (0.835, 0.098, 0.055),
    (0.79, 0.118, 0.07),
    (0.72, 0.108, 0.076),
    (0.62, 0.09, 0.068),
    (0.53, 0.102, 0.076),
    (0.47, 0.106, 0.08),
)
LEVELS = tuple(height for height, _, _ in TRUNK)
VISIBLE = 0.012


class Body:
    """`person` in `pose` on `canvas`, whose origin is the ground below the hips.

    facing: 1 towards the viewer, -1 away; turn: 1 to the picture's right, -1 to its left; girth: of the limbs.
    """

    def __init__(self, canvas: Canvas, person: Person, pose: Pose) -> None:
        self.canvas, self.person, self.pose = canvas, person, pose
        self.facing, self.turn = cos(pose.view.yaw), sin(pose.view.yaw)
        self.girth = 0.6 + 0.4 * person.breadth

    def at(self, aside: float, ahead: float, up: float) -> Point:
        """A point of the body's own space on the picture plane."""
        return self.pose.view.project(aside, ahead, up)

    def surface(self, up: float, angle: float) -> Point:
        """The trunk's surface at height `up` and `angle` around it: 0 the front, a quarter turn the left side."""
        half, deep = self._section(up)
        return self.at(half * sin(angle), deep * cos(angle), up)

    def width(self, up: float) -> float:
        """Half the trunk's width as seen, at height `up`."""
        half, deep = self._section(up)
        return hypot(half * self.facing, deep * self.turn)

    def row(self, up: float, left: float = -1.0, right: float = 1.0) -> tuple[XY, XY]:
        """Two points across the trunk at height `up`; -1 is the picture's left outline, 1 the right one."""
        width, y = self.width(up), self.at(0.0, 0.0, up).y
        return (left * width, y), (right * width, y)

    def slab(self, levels: Sequence[float], left: float = -1.0, right: float = 1.0) -> list[XY]:
        """The part of the trunk as seen between the heights `levels`, from `left` to `right` as in `row`."""
        rows = [self.row(up, left, right) for up in levels]
        return [row[0] for row in rows] + [row[1] for row in reversed(rows)]

    def patch(self, angle: float, half: float, levels: Sequence[float]) -> list[XY]:
        """The part of the trunk's surface within `half` of `angle` between the heights `levels`."""
        left = (self.surface(up, angle - half) for up in levels)
        return [*left, *(self.surface(up, angle + half) for up in reversed(levels))]

    def sees(self, angle: float) -> bool:
        """Whether the trunk's surface at `angle` is on the viewer's side."""
        return self.surface(0.7, angle).depth > VISIBLE

    def print(self, angle: float, half: float, levels: Sequence[float], fill: RGB) -> None:
        """Colour a patch of the trunk's surface, if it is seen."""
        if self.sees(angle):
            self.canvas.polygon(self.patch(angle, half, levels), fill, None)

    def _section(self, up: float) -> tuple[float, float]:
        """Half width and half depth at height `up`."""
        above = below = TRUNK[0]
        for below in TRUNK[1:]:
            if up >= below[0]:
                break
            above = below
        else:
            above = TRUNK[-2]
        t = min(max((above[0] - up) / (above[0] - below[0]), 0.0), 1.3)
        half = above[1] + (below[1] - above[1]) * t
        deep = above[2] + (below[2] - above[2]) * t
        return half * self.person.breadth, deep * (0.4 + 0.6 * self.person.breadth)
