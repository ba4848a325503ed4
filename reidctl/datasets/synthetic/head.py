"""Faces, hair and hats."""

from __future__ import annotations

from reidctl.datasets.synthetic.body import Body
from reidctl.datasets.synthetic.canvas import NEUTRAL
from reidctl.datasets.synthetic.person import shaded
from reidctl.datasets.synthetic.pose import HEAD, NECK, Point

EYES = (42, 34, 32)


def draw_head(body: Body) -> None:
    """Neck, head, face and hat; not the hair that hangs behind."""
    person, canvas = body.person, body.canvas
    centre, throat = body.at(0.0, 0.012, HEAD), body.at(0.0, 0.0, NECK - 0.02)
    canvas.limb(throat, (centre.x, centre.y - 0.03), (0.062, 0.056), shaded(person.skin, 0.85), 116)
    width = 0.1 + 0.012 * abs(body.turn)
    bald = person.hair == "bald"
    crown = person.skin if bald else person.hair_colour
    canvas.ellipse((centre.x, centre.y + 0.006), width if bald else width + 0.012, 0.132, crown)
    if body.facing > -0.55:
        _face(body, centre, width)
    if person.hat != "none":
        _hat(body, centre, width)
    _relief(body, centre)


def draw_hair_behind(body: Body) -> None:
    """Hair that hangs behind the head: drawn before the trunk when seen from the front, after it from behind."""
    person, canvas, at = body.person, body.canvas, body.at
    if person.hair == "long":
        canvas.limb(at(0.0, -0.035, HEAD), at(0.0, -0.06, 0.76), (0.11, 0.1), person.hair_colour)
    elif person.hair == "bob":
        canvas.limb(at(0.0, -0.035, HEAD), at(0.0, -0.03, 0.875), (0.12, 0.115), person.hair_colour)
    elif person.hair == "ponytail":
        canvas.limb(at(0.0, -0.07, 0.95), at(0.0, -0.1, 0.79), (0.034, 0.042), person.hair_colour)
    elif person.hair == "bun":
        canvas.ellipse(at(0.0, -0.06, 0.985), 0.062, 0.055, person.hair_colour)


def _face(body: Body, centre: Point, width: float) -> None:
    person, canvas, facing, turn = body.person, body.canvas, body.facing, body.turn
    x, y = centre.x + turn * 0.026, centre.y
    canvas.ellipse((x, y - 0.012), width * 0.86 * min(1.0, (facing + 0.75) / 1.1), 0.104, person.skin)
    if person.hair in ("bob", "long") and facing > 0.2:
        for side in (-1, 1):
            top, end = (centre.x + side * width * 0.45, y + 0.02), (centre.x + side * width * 0.47, y - 0.05)
            canvas.limb(top, end, (0.025, 0.022), person.hair_colour)
    if facing > 0.1:
        for side in (-1, 1):
            canvas.ellipse((x + side * 0.019 * facing + turn * 0.02, y - 0.004), 0.012, 0.009, EYES)
        canvas.ellipse((x + turn * 0.022, y - 0.042), 0.026 * facing, 0.008, shaded(person.skin, 0.7))


def _hat(body: Body, centre: Point, width: float) -> None:
    person, canvas = body.person, body.canvas
    x, y, w = centre.x, centre.y, width / 2 + 0.01
    half = ((1.0, 0.014), (1.0, 0.044), (0.6, 0.072))
    left, right = [(x - w * k, y + up) for k, up in half], [(x + w * k, y + up) for k, up in reversed(half)]
    canvas.polygon(left + right, person.hat_colour)
    if person.hat == "cap" and body.facing > -0.5:
        thick = 0.026 + 0.02 * max(body.facing, 0.0)
        root, tip = (x + body.turn * 0.03, y + 0.016), (x + body.turn * 0.1, y + 0.012)
        canvas.limb(root, tip, (thick, 0.02), shaded(person.hat_colour, 0.75))


def _relief(body: Body, centre: Point) -> None:
    """The head's own shade on the side away from the light."""
    light = body.canvas.light
    side = -1 if light > 0 else 1
    edge = ((0.015, 0.06), (0.06, 0.03), (0.05, -0.05), (0.012, -0.06))
    points = [(centre.x + side * x, centre.y + y) for x, y in edge]
    body.canvas.tint(points, round(NEUTRAL * (1 - 0.28 * abs(light))))
