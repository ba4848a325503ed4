"""Backpacks, shoulder bags and handbags."""

from __future__ import annotations

from reidctl.datasets.synthetic.body import Body
from reidctl.datasets.synthetic.canvas import XY
from reidctl.datasets.synthetic.person import shaded


def draw_backpack(body: Body) -> None:
    """On the back; drawn before the trunk when seen from the front, after it from behind."""
    colour, canvas, half = body.person.bag_colour, body.canvas, 0.085 * body.person.breadth
    corners = [body.at(side * half, ahead, 0.7).x for side in (-1, 1) for ahead in (-0.07, -0.19)]
    left, right = min(corners), max(corners)
    top, low = body.at(0.0, -0.12, 0.825).y, body.at(0.0, -0.12, 0.565).y
    canvas.polygon(_rounded(left, low, right, top, 0.02), colour)
    canvas.tint(_rectangle(left, low, left + 0.03, top), 104)
    if body.facing < 0:
        pocket, wide = body.at(0.0, -0.19, 0.65), (right - left) * 0.34
        front = _rectangle(pocket.x - wide, pocket.y - 0.05, pocket.x + wide, pocket.y + 0.045)
        canvas.polygon(front, shaded(colour, 0.72))


def draw_straps(body: Body) -> None:
    """The backpack's straps over the shoulders, where the front is seen."""
    for angle in (-0.75, 0.75):
        body.print(angle, 0.12, (0.835, 0.76, 0.68), shaded(body.person.bag_colour, 0.75))


def draw_shoulder_bag(body: Body) -> None:
    """At the left hip, on a strap from the right shoulder across chest and back."""
    canvas, colour = body.canvas, body.person.bag_colour
    front = body.facing > 0
    start, end = body.surface(0.84, -1.2 if front else -1.9), body.surface(0.53, 1.0 if front else 2.1)
    canvas.limb(start, end, (0.02, 0.02), shaded(colour, 0.7))
    hip, wide = body.at(0.13 * body.person.breadth, 0.0, 0.48), 0.05 + 0.04 * abs(body.turn)
    canvas.polygon(_rectangle(hip.x - wide, hip.y - 0.06, hip.x + wide, hip.y + 0.05), colour)
    canvas.polygon(_rectangle(hip.x - wide, hip.y, hip.x + wide, hip.y + 0.05), shaded(colour, 0.7), None)


def draw_handbag(body: Body) -> None:
    """In the left hand."""
    canvas, colour = body.canvas, body.person.bag_colour
    x, y, _ = body.pose.arms()[0].hand
    wide = 0.045 + 0.03 * abs(body.turn)
    handle: list[XY] = [(x - 0.012, y), (x + 0.012, y), (x + wide, y - 0.06), (x - wide, y - 0.06)]
    sides: list[XY] = [(x - wide, y - 0.055), (x + wide, y - 0.055)]
    base: list[XY] = [(x + wide * 1.1, y - 0.15), (x - wide * 1.1, y - 0.15)]
    canvas.polygon(handle, shaded(colour, 0.6))
    canvas.polygon(sides + base, colour)


def _rectangle(left: float, low: float, right: float, top: float) -> list[XY]:
    return [(left, low), (left, top), (right, top), (right, low)]


def _rounded(left: float, low: float, right: float, top: float, cut: float) -> list[XY]:
    upper: list[XY] = [(left, top - cut), (left + cut, top), (right - cut, top), (right, top - cut)]
    return [*upper, (right, low + cut), (right - cut, low), (left + cut, low), (left, low + cut)]
