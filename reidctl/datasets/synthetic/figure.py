"""A person in a pose, drawn from back to front."""

from __future__ import annotations

from reidctl.datasets.synthetic.body import Body
from reidctl.datasets.synthetic.canvas import NEUTRAL, Canvas
from reidctl.datasets.synthetic.clothes import dress_trunk, sleeve_colour
from reidctl.datasets.synthetic.head import draw_hair_behind, draw_head
from reidctl.datasets.synthetic.luggage import draw_backpack, draw_handbag, draw_shoulder_bag, draw_straps
from reidctl.datasets.synthetic.person import Person
from reidctl.datasets.synthetic.pose import Arm, Leg, Pose

FAR = 108


def draw_person(canvas: Canvas, person: Person, pose: Pose) -> None:
    """Draw `person` in `pose` on `canvas`, whose origin is the ground below the hips."""
    body = Body(canvas, person, pose)
    frontal, backpack = body.facing > 0, person.bag == "backpack"
    left, right = pose.arms()
    hidden = [arm for arm in (left, right) if arm.shoulder.depth < -0.04]
    canvas.cast((0.02 * canvas.light, 0.01), 0.42, 0.09, 84)
    canvas.cast((0.0, 0.008), 0.26, 0.05, 66)
    if frontal:
        if backpack:
            draw_backpack(body)
        draw_hair_behind(body)
    for arm in hidden:
        _draw_arm(body, arm, FAR)
    far, near = sorted(pose.legs(), key=lambda leg: leg.knee.depth)
    _draw_leg(body, far, FAR)
    _draw_leg(body, near, NEUTRAL)
    dress_trunk(body)
    if frontal and backpack:
        draw_straps(body)
    draw_head(body)
    if not frontal:
        draw_hair_behind(body)
        if backpack:
            draw_backpack(body)
    if person.bag == "shoulder":
        draw_shoulder_bag(body)
    for arm in (left, right):
        if arm not in hidden:
            _draw_arm(body, arm, NEUTRAL)
    if person.bag == "handbag":
        draw_handbag(body)


def _draw_leg(body: Body, leg: Leg, shade: int) -> None:
    canvas, person, girth = body.canvas, body.person, body.girth
    long, short = person.legwear == "trousers", person.legwear == "shorts"
    calf = (0.072 * girth, 0.056 * girth) if long else (0.062 * girth, 0.036 * girth)
    canvas.limb(leg.knee, leg.ankle, calf, person.legs if long else person.skin, shade)
    thigh = (0.108 * girth, (0.084 if short else 0.074) * girth)
    canvas.limb(leg.hip, leg.knee, thigh, person.legs if long or short else person.skin, shade)
    heel = (leg.ankle.x - (leg.toe.x - leg.ankle.x) * 0.25, leg.ankle.y - 0.022)
    canvas.limb(heel, leg.toe, (0.05, 0.04), person.shoes, shade)


def _draw_arm(body: Body, arm: Arm, shade: int) -> None:
    canvas, person, girth = body.canvas, body.person, body.girth
    over = person.outer != "none"
    sleeve = sleeve_colour(body)
    long = over or person.sleeves == "long"
    canvas.ellipse(arm.hand, 0.042, 0.046, person.skin, shade)
    forearm = ((0.058 if long else 0.046) * girth, 0.036 * girth)
    canvas.limb(arm.elbow, arm.hand, forearm, sleeve if long else person.skin, shade)
    upper = sleeve if over or person.sleeves != "none" else person.skin
    canvas.limb(arm.shoulder, arm.elbow, (0.078 * girth, 0.062 * girth), upper, shade)
