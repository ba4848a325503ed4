"""How a person stands: a small skeleton in three dimensions, seen from any side.

Lengths are in body heights. Body axes: `aside` to the person's left, `ahead`, `up` from the ground.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, sin
from typing import Literal, NamedTuple

Gesture = Literal["swing", "pocket", "phone", "hold"]

HIP, KNEE, ANKLE = 0.515, 0.275, 0.045
SHOULDER, NECK, HEAD = 0.815, 0.86, 0.93
UPPER_ARM, FOREARM = 0.165, 0.15
FOOT = 0.1


class Point(NamedTuple):
    """A place on the picture plane, x to the right and y up, and its depth towards the viewer."""

    x: float
    y: float
    depth: float


@dataclass(frozen=True, slots=True)
class View:
    """Where the person looks and how steeply the camera looks down.

    yaw in radians: 0 faces the viewer, a quarter turn looks to the picture's right, a half turn shows the back;
    pitch in radians.
    """

    yaw: float
    pitch: float

    def project(self, aside: float, ahead: float, up: float) -> Point:
        """A point of the body, orthographically, on the picture plane."""
        turn, face = sin(self.yaw), cos(self.yaw)
        depth = ahead * face - aside * turn
        return Point(aside * face + ahead * turn, up * cos(self.pitch) - depth * sin(self.pitch), depth)


@dataclass(frozen=True, slots=True)
class Leg:
    hip: Point
    knee: Point
    ankle: Point
    toe: Point


@dataclass(frozen=True, slots=True)
class Arm:
    shoulder: Point
    elbow: Point
    hand: Point


@dataclass(frozen=True, slots=True)
class Pose:
    """A moment of a walk. phase in radians; stride 0 stands still, 1 strides out; gestures of left and right arm."""

    view: View
    phase: float
    stride: float
    gestures: tuple[Gesture, Gesture]
    breadth: float

    def legs(self) -> tuple[Leg, Leg]:
        """Left and right leg; the lower foot is on the ground."""
        left, right = self._leg(1.0, self.phase), self._leg(-1.0, self.phase + 3.14159)
        return left, right

    def arms(self) -> tuple[Arm, Arm]:
        """Left and right arm."""
        return self._arm(1.0, self.phase, self.gestures[0]), self._arm(-1.0, self.phase + 3.14159, self.gestures[1])

    def _leg(self, side: float, phase: float) -> Leg:
        thigh = 0.46 * self.stride * sin(phase) + 0.02
        shin = thigh - 0.06 - self.stride * (0.35 + 0.45 * cos(phase)) * 0.8
        aside = side * 0.055 * self.breadth
        knee_ahead, knee_up = (HIP - KNEE) * sin(thigh), HIP - (HIP - KNEE) * cos(thigh)
        length = KNEE - ANKLE
        ankle_ahead, ankle_up = knee_ahead + length * sin(shin), knee_up - length * cos(shin)
        lift = min(max(-shin, 0.0), 0.9) * 0.9
        outward = side * 0.02
        place = self.view.project
        return Leg(
            place(aside * 1.15, 0.0, HIP),
            place(aside * 1.1, knee_ahead, knee_up),
            place(aside, ankle_ahead, ankle_up),
            place(aside + outward, ankle_ahead + FOOT * cos(lift), ankle_up - 0.035 - FOOT * sin(lift)),
        )

    def _arm(self, side: float, phase: float, gesture: Gesture) -> Arm:
        upper = -0.5 * self.stride * sin(phase)
        lower = upper + 0.15 + 0.3 * self.stride
        spread, inward = 0.16, 0.02
        if gesture == "pocket":
            upper, lower, spread, inward = -0.3, 0.5, 0.3, 0.2
        elif gesture == "phone":
            upper, lower, spread, inward = 0.25, 2.75, 0.25, 0.12
        elif gesture == "hold":
            upper, lower, spread, inward = 0.1, 1.45, 0.12, 0.45
        aside = side * 0.115 * self.breadth
        elbow = (
            aside + side * UPPER_ARM * sin(spread),
            UPPER_ARM * sin(upper),
            SHOULDER - 0.01 - UPPER_ARM * cos(upper) * cos(spread),
        )
        place = self.view.project
        return Arm(
            place(aside, 0.0, SHOULDER - 0.015),
            place(*elbow),
            place(elbow[0] - side * FOREARM * inward, elbow[1] + FOREARM * sin(lower), elbow[2] - FOREARM * cos(lower)),
        )
