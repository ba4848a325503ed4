"""What covers the trunk: skirts, tops with their patterns, and what is worn over them."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi

from reidctl.datasets.synthetic.body import LEVELS, VISIBLE, Body
from reidctl.datasets.synthetic.canvas import NEUTRAL
from reidctl.datasets.synthetic.person import RGB, Outer, shaded

HEMS: dict[Outer, float] = {"none": 0.5, "jacket": 0.5, "hoodie": 0.48, "coat": 0.34}
STRIPES = tuple((0.825 - 0.056 * k, 0.801 - 0.056 * k) for k in range(6))
OPENING = 0.55


def dress_trunk(body: Body) -> None:
    """The clothes from neck to hip, skirts and coats included."""
    person, canvas = body.person, body.canvas
    if person.legwear in ("trousers", "shorts"):
        canvas.polygon(body.slab((0.56, 0.53, 0.5, 0.47)), person.legs)
    else:
        _skirt(body)
    hem = HEMS[person.outer]
    levels = [up for up in LEVELS if up > hem] + [max(hem, 0.48)]
    canvas.polygon(body.slab(levels), _inner(body))
    _pattern(body, max(hem, 0.48))
    if person.outer != "none":
        _outer(body, hem)
    _relief(body, levels)


def sleeve_colour(body: Body) -> RGB:
    """The colour of the sleeves of whatever is outermost."""
    person = body.person
    if person.outer != "none":
        return person.outer_colour
    return person.accent if person.raglan and person.legwear != "dress" else _inner(body)


def _inner(body: Body) -> RGB:
    return body.person.legs if body.person.legwear == "dress" else body.person.top


def _skirt(body: Body) -> None:
    canvas, legs = body.canvas, body.pose.legs()
    low = body.at(0, 0, 0.24 if body.person.legwear == "dress" else 0.31).y
    spread = max(abs(legs[0].knee.x - legs[1].knee.x) / 2 + 0.05, body.width(0.5) * 1.25)
    waist, hip = body.row(0.6), body.row(0.5, -1.06, 1.06)
    canvas.polygon([waist[0], hip[0], (-spread, low), (spread, low), hip[1], waist[1]], body.person.legs)
    canvas.tint([(0.02, low), (0.03, hip[0][1]), (spread * 0.6, low)], 108)


def _pattern(body: Body, hem: float) -> None:
    person, canvas = body.person, body.canvas
    if person.pattern in ("stripes", "checks"):
        for up, low in STRIPES:
            if low > hem:
                canvas.polygon(body.slab((up, low)), person.accent, None)
    if person.pattern in ("pinstripes", "checks"):
        half = 0.16 if person.pattern == "checks" else 0.11
        for k in range(10):
            body.print(k * pi / 5 + 0.3, half, (0.83, 0.72, 0.62, hem), person.accent)
    if person.pattern == "block":
        canvas.polygon(body.slab((0.865, 0.835, 0.79, 0.7)), person.accent, None)
    if person.pattern == "band":
        canvas.polygon(body.slab((0.73, 0.64)), person.accent, None)
    if person.pattern == "logo":
        body.print(0.0, 0.62, (0.775, 0.68), person.accent)
        body.print(pi, 0.5, (0.78, 0.65), person.accent)
    if person.pattern == "dots":
        for k in range(40):
            row, column = divmod(k, 8)
            dot = body.surface(0.8 - row * 0.062, column * pi / 4 + (row % 2) * pi / 8)
            if dot.depth > VISIBLE:
                canvas.ellipse(dot, 0.03, 0.03, person.accent, None)


def _outer(body: Body, hem: float) -> None:
    """A jacket or coat, open in front, or a hoodie, closed, with its hood on the back."""
    person, canvas = body.person, body.canvas
    outline = body.slab([0.87, *(up for up in LEVELS[1:] if up > hem), hem], -1.06, 1.06)
    canvas.polygon(outline, person.outer_colour)
    if person.outer == "hoodie":
        body.print(0.0, 0.05, (0.83, 0.5), shaded(person.outer_colour, 0.6))
        if body.facing < 0.3:
            hood = body.surface(0.83, pi)
            canvas.ellipse((hood.x * 0.6, hood.y), 0.14, 0.09, shaded(person.outer_colour, 0.85))
    elif body.facing > 0.15:
        canvas.polygon(body.patch(0.0, OPENING, (0.86, 0.72, 0.6, hem)), _inner(body), None)
        if person.pattern in ("stripes", "checks"):
            for stripe in STRIPES:
                canvas.polygon(body.patch(0.0, OPENING, stripe), person.accent, None)


def _relief(body: Body, levels: Sequence[float]) -> None:
    """The trunk's own shade on the side away from the light, and a shine on the other."""
    light = body.canvas.light
    side, strength = -1.0 if light > 0 else 1.0, abs(light)
    body.canvas.tint(body.slab(levels, side * 0.35, side), round(NEUTRAL * (1 - 0.17 * strength)))
    body.canvas.tint(body.slab(levels, side * 0.7, side), round(NEUTRAL * (1 - 0.34 * strength)))
    body.canvas.tint(body.slab(levels, -side * 0.25, -side * 0.75), round(NEUTRAL * (1 + 0.08 * strength)))
