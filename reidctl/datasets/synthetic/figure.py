"""A person in a pose, drawn from back to front."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, hypot, pi, sin

from reidctl.datasets.synthetic.canvas import NEUTRAL, XY, Canvas
from reidctl.datasets.synthetic.person import RGB, Person, shaded
from reidctl.datasets.synthetic.pose import HEAD, NECK, SHOULDER, Arm, Leg, Pose

# (height, half width, half depth) of the trunk from neck to hip, in body heights
TRUNK = ((0.865, 0.04, 0.04), (0.835, 0.098, 0.055), (0.79, 0.118, 0.07), (0.72, 0.108, 0.076), (0.62, 0.09, 0.068), (0.53, 0.102, 0.076), (0.47, 0.106, 0.08))
FAR = 108


class Figure:
    """Draws `person` in `pose` on `canvas`, whose origin is the ground below the hips."""

    def __init__(self, canvas: Canvas, person: Person, pose: Pose) -> None:
        self.canvas, self.person, self.pose = canvas, person, pose
        self.facing = cos(pose.view.yaw)
        self.turn = sin(pose.view.yaw)

    def draw(self) -> None:
        """All of it."""
        person, facing = self.person, self.facing
        arms = sorted(self.pose.arms(), key=lambda arm: arm.shoulder.depth)
        behind = [arm for arm in arms if arm.shoulder.depth < -0.04]
        before = [arm for arm in arms if arm.shoulder.depth >= -0.04]
        self._shadow()
        if facing > 0:
            self._backpack()
            self._hair_back()
        for arm in behind:
            self._arm(arm, FAR)
        far, near = sorted(self.pose.legs(), key=lambda leg: leg.knee.depth)
        self._leg(far, FAR)
        self._leg(near, NEUTRAL)
        self._trunk()
        self._neck_and_head()
        if facing <= 0:
            self._hair_back()
            self._backpack()
        self._shoulder_bag()
        for arm in before:
            self._arm(arm, NEUTRAL)
        if person.bag == "handbag":
            hand = self.pose.arms()[0].hand
            self._handbag(hand)

    def _shadow(self) -> None:
        self.canvas.ellipse((0.02 * self.canvas.light, 0.01), 0.42, 0.09, None, 84)
        self.canvas.ellipse((0.0, 0.008), 0.26, 0.05, None, 66)

    def _ring(self, up: float, angle: float) -> tuple[float, float, float]:
        """The trunk's surface at height `up` and `angle` around it (0 the front, positive to the left): x, y, depth."""
        half, deep = self._girth(up)
        point = self.pose.view.project(half * sin(angle), deep * cos(angle), up)
        return point.x, point.y, point.depth

    def _girth(self, up: float) -> XY:
        above = TRUNK[0]
        for below in TRUNK[1:]:
            if up >= below[0]:
                break
            above = below
        span = above[0] - below[0]
        t = min(max((above[0] - up) / span, 0.0), 1.3) if span else 0.0
        half = above[1] + (below[1] - above[1]) * t
        deep = above[2] + (below[2] - above[2]) * t
        return half * self.person.breadth, deep * (0.4 + 0.6 * self.person.breadth)

    def _width(self, up: float) -> float:
        half, deep = self._girth(up)
        return hypot(half * self.facing, deep * self.turn)

    def _row(self, up: float, left: float, right: float, flare: float = 1.0) -> tuple[XY, XY]:
        """Two points of the outline at height `up`; -1 is the picture's left edge, 1 its right edge."""
        width = self._width(up) * flare
        y = self.pose.view.project(0.0, 0.0, up).y
        return (left * width, y), (right * width, y)

    def _slab(self, levels: Sequence[float], left: float = -1.0, right: float = 1.0, flare: float = 1.0) -> list[XY]:
        rows = [self._row(up, left, right, flare) for up in levels]
        return [row[0] for row in rows] + [row[1] for row in reversed(rows)]

    def _leg(self, leg: Leg, shade: int) -> None:
        canvas, person = self.canvas, self.person
        girth = 0.6 + 0.4 * person.breadth
        bare = person.legwear != "trousers"
        lower = person.skin if bare else person.legs
        calf = (0.062, 0.036) if bare else (0.072, 0.056)
        canvas.limb(leg.knee, leg.ankle, (calf[0] * girth, calf[1] * girth), lower, shade)
        upper = person.legs if person.legwear in ("trousers", "shorts") else person.skin
        canvas.limb(leg.hip, leg.knee, (0.108 * girth, (0.084 if person.legwear == "shorts" else 0.074) * girth), upper, shade)
        self._shoe(leg, shade)

    def _shoe(self, leg: Leg, shade: int) -> None:
        ankle, toe = leg.ankle, leg.toe
        heel = (ankle.x - (toe.x - ankle.x) * 0.25, ankle.y - 0.022)
        self.canvas.limb(heel, (toe.x, toe.y), (0.05, 0.04), self.person.shoes, shade)

    def _trunk(self) -> None:
        person, canvas = self.person, self.canvas
        if person.legwear in ("trousers", "shorts"):
            canvas.polygon(self._slab((0.56, 0.53, 0.5, 0.47)), person.legs)
        else:
            self._skirt()
        hem = 0.5 if person.outer == "none" or person.outer == "jacket" else 0.48
        levels = [0.865, 0.835, 0.79, 0.72, 0.62, 0.53, hem]
        canvas.polygon(self._slab(levels), person.legs if person.legwear == "dress" else person.top)
        self._pattern(hem)
        if person.outer != "none":
            self._outer()
        self._relief(levels)

    def _relief(self, levels: Sequence[float]) -> None:
        light = self.canvas.light
        dark, pale = round(NEUTRAL * (1 - 0.34 * abs(light))), round(NEUTRAL * (1 + 0.08 * abs(light)))
        side = -1.0 if light > 0 else 1.0
        self.canvas.tint(self._slab(levels, side * 0.35, side), round((dark + NEUTRAL) / 2))
        self.canvas.tint(self._slab(levels, side * 0.7, side), dark)
        self.canvas.tint(self._slab(levels, -side * 0.25, -side * 0.75), pale)

    def _skirt(self) -> None:
        legs = self.pose.legs()
        knee = 0.24 if self.person.legwear == "dress" else 0.31
        spread = max(abs(legs[0].knee.x - legs[1].knee.x) / 2 + 0.05, self._width(0.5) * 1.25)
        waist, hip = self._row(0.6, -1, 1), self._row(0.5, -1.06, 1.06)
        y = self.pose.view.project(0, 0, knee).y
        self.canvas.polygon([waist[0], hip[0], (-spread, y), (spread, y), hip[1], waist[1]], self.person.legs)
        self.canvas.tint([(0.02, y), (0.03, hip[0][1]), (spread * 0.6, y)], 108)

    def _pattern(self, hem: float) -> None:
        person = self.person
        accent, draw = person.accent, self.canvas.polygon
        if person.pattern in ("stripes", "checks"):
            for k in range(6):
                up = 0.825 - k * 0.056
                if up - 0.024 > hem:
                    draw(self._slab((up, up - 0.024)), accent, None)
        if person.pattern in ("pinstripes", "checks"):
            for k in range(10):
                self._strip(k * pi / 5 + 0.3, 0.16 if person.pattern == "checks" else 0.11, (0.83, 0.72, 0.62, hem), accent)
        if person.pattern == "block":
            draw(self._slab((0.865, 0.835, 0.79, 0.7)), accent, None)
        if person.pattern == "band":
            draw(self._slab((0.73, 0.64)), accent, None)
        if person.pattern == "logo":
            self._strip(0.0, 0.62, (0.775, 0.68), accent)
            self._strip(pi, 0.5, (0.78, 0.65), accent)
        if person.pattern == "dots":
            for row in range(5):
                for k in range(8):
                    x, y, depth = self._ring(0.8 - row * 0.062, k * pi / 4 + (row % 2) * pi / 8)
                    if depth > 0.01:
                        self.canvas.ellipse((x, y), 0.03, 0.03, accent, None)

    def _strip(self, angle: float, half: float, levels: Sequence[float], fill: RGB) -> None:
        """A patch of the trunk's surface around `angle`, if it is on the viewer's side."""
        if self._ring(0.7, angle)[2] < 0.012:
            return
        left = [self._ring(up, angle - half)[:2] for up in levels]
        right = [self._ring(up, angle + half)[:2] for up in levels]
        self.canvas.polygon(left + right[::-1], fill, None)

    def _outer(self) -> None:
        person, canvas = self.person, self.canvas
        hem = {"jacket": 0.5, "hoodie": 0.48, "coat": 0.34, "none": 0.5}[person.outer]
        levels = [0.87, 0.835, 0.79, 0.72, 0.62, 0.53, 0.47]
        whole = self._slab([up for up in levels if up > hem] + [hem], flare=1.06)
        opening = [self._ring(up, angle)[:2] for angle, ups in ((-0.55, (0.86, 0.72, 0.6, hem)), (0.55, (hem, 0.6, 0.72, 0.86))) for up in ups]
        if self.facing > 0.15 and person.outer != "hoodie":
            inner = person.top if person.legwear != "dress" else person.legs
            canvas.polygon(whole, person.outer_colour)
            canvas.polygon(opening, inner, None)
            if person.pattern in ("stripes", "checks"):
                for k in range(6):
                    up = 0.825 - k * 0.056
                    a, b = self._ring(up, -0.5), self._ring(up, 0.5)
                    canvas.polygon([a[:2], b[:2], (b[0], b[1] - 0.024), (a[0], a[1] - 0.024)], person.accent, None)
        else:
            canvas.polygon(whole, person.outer_colour)
        if person.outer == "hoodie":
            self._strip(0.0, 0.05, (0.83, 0.5), shaded(person.outer_colour, 0.6))
            if self.facing < 0.3:
                x, y, _ = self._ring(0.83, pi)
                canvas.ellipse((x * 0.6, y), 0.14, 0.09, shaded(person.outer_colour, 0.85))

    def _arm(self, arm: Arm, shade: int) -> None:
        canvas, person = self.canvas, self.person
        girth = 0.6 + 0.4 * person.breadth
        covered = person.outer != "none"
        sleeve = person.outer_colour if covered else person.accent if person.raglan else person.top
        if person.legwear == "dress" and not covered:
            sleeve = person.legs
        upper = person.skin if person.sleeves == "none" and not covered else sleeve
        lower = sleeve if covered or person.sleeves == "long" else person.skin
        canvas.ellipse(arm.hand[:2], 0.042, 0.046, person.skin, shade)
        thick = 0.058 if lower == sleeve else 0.046
        canvas.limb(arm.elbow, arm.hand, (thick * girth, 0.036 * girth), lower, shade)
        canvas.limb(arm.shoulder, arm.elbow, (0.078 * girth, 0.062 * girth), upper, shade)

    def _neck_and_head(self) -> None:
        person, canvas = self.person, self.canvas
        centre = self.pose.view.project(0.0, 0.012, HEAD)
        throat = self.pose.view.project(0.0, 0.0, NECK - 0.02)
        canvas.limb((throat.x, throat.y), (centre.x, centre.y - 0.03), (0.062, 0.056), shaded(person.skin, 0.85), 116)
        width = 0.1 + 0.012 * abs(self.turn)
        x, y = centre.x, centre.y
        bald = person.hair == "bald"
        crown = person.skin if bald else person.hair_colour
        canvas.ellipse((x, y + 0.006), width + (0 if bald else 0.012), 0.132, crown)
        if self.facing > -0.55:
            self._face(x, y, width)
        if person.hat != "none":
            self._hat(x, y, width)
        side = -1 if canvas.light > 0 else 1
        canvas.tint([(x + side * 0.015, y + 0.06), (x + side * 0.06, y + 0.03), (x + side * 0.05, y - 0.05), (x + side * 0.012, y - 0.06)], round(NEUTRAL * (1 - 0.28 * abs(canvas.light))))

    def _face(self, x: float, y: float, width: float) -> None:
        person, canvas = self.person, self.canvas
        visible = min(1.0, (self.facing + 0.75) / 1.1)
        face = x + self.turn * 0.026
        canvas.ellipse((face, y - 0.012), width * 0.86 * visible, 0.104, person.skin)
        if person.hair in ("bob", "long") and self.facing > 0.2:
            for side in (-1, 1):
                canvas.limb((x + side * width * 0.45, y + 0.02), (x + side * width * 0.47, y - 0.05), (0.025, 0.022), person.hair_colour)
        if self.facing > 0.1:
            for side in (-1, 1):
                canvas.ellipse((face + side * 0.019 * self.facing + self.turn * 0.02, y - 0.004), 0.012, 0.009, (42, 34, 32))
            canvas.ellipse((face + self.turn * 0.022, y - 0.042), 0.026 * self.facing, 0.008, shaded(person.skin, 0.7))

    def _hat(self, x: float, y: float, width: float) -> None:
        person, canvas = self.person, self.canvas
        w = width / 2 + 0.01
        dome = [(x - w, y + 0.014), (x - w, y + 0.044), (x - w * 0.6, y + 0.072), (x + w * 0.6, y + 0.072), (x + w, y + 0.044), (x + w, y + 0.014)]
        canvas.polygon(dome, person.hat_colour)
        if person.hat == "cap" and self.facing > -0.5:
            tip = x + self.turn * 0.1
            canvas.limb((x + self.turn * 0.03, y + 0.016), (tip, y + 0.012), (0.026 + 0.05 * max(self.facing, 0) * 0.4, 0.02), shaded(person.hat_colour, 0.75))

    def _hair_back(self) -> None:
        """Hair that hangs behind the head: before the trunk when seen from behind, after it from the front."""
        person, canvas = self.person, self.canvas
        nape = self.pose.view.project(0.0, -0.035, HEAD)
        colour = person.hair_colour
        if person.hair == "long":
            low = self.pose.view.project(0.0, -0.06, 0.76)
            canvas.limb((nape.x, nape.y), (low.x, low.y), (0.11, 0.1), colour)
        elif person.hair == "bob":
            low = self.pose.view.project(0.0, -0.03, 0.875)
            canvas.limb((nape.x, nape.y), (low.x, low.y), (0.12, 0.115), colour)
        elif person.hair == "ponytail":
            root, low = self.pose.view.project(0.0, -0.07, 0.95), self.pose.view.project(0.0, -0.1, 0.79)
            canvas.limb((root.x, root.y), (low.x, low.y), (0.034, 0.042), colour)
        elif person.hair == "bun":
            knot = self.pose.view.project(0.0, -0.06, 0.985)
            canvas.ellipse((knot.x, knot.y), 0.062, 0.055, colour)

    def _backpack(self) -> None:
        person, canvas = self.person, self.canvas
        if person.bag != "backpack":
            return
        project = self.pose.view.project
        corners = [project(a * 0.085 * person.breadth, f, u) for a, f, u in ((-1, -0.07, 0.82), (1, -0.07, 0.82), (1, -0.17, 0.8), (-1, -0.17, 0.8), (-1, -0.19, 0.6), (1, -0.19, 0.6), (1, -0.07, 0.57), (-1, -0.07, 0.57))]
        left, right = min(c.x for c in corners), max(c.x for c in corners)
        top, low = project(0, -0.12, 0.825).y, project(0, -0.12, 0.565).y
        inset = 0.02
        canvas.polygon([(left, low + inset), (left, top - inset), (left + inset, top), (right - inset, top), (right, top - inset), (right, low + inset), (right - inset, low), (left + inset, low)], person.bag_colour)
        canvas.tint([(left, low), (left, top), (left + 0.03, top), (left + 0.03, low)], 104)
        if self.facing < 0:
            middle = project(0, -0.19, 0.65)
            w = (right - left) * 0.34
            canvas.polygon([(middle.x - w, middle.y - 0.05), (middle.x - w, middle.y + 0.045), (middle.x + w, middle.y + 0.045), (middle.x + w, middle.y - 0.05)], shaded(person.bag_colour, 0.72))
        else:
            for angle in (-0.75, 0.75):
                self._strip(angle, 0.15, (0.835, 0.76, 0.68), shaded(person.bag_colour, 0.8))

    def _shoulder_bag(self) -> None:
        person, canvas = self.person, self.canvas
        if person.bag != "shoulder":
            return
        dark = shaded(person.bag_colour, 0.7)
        front = self.facing > 0
        start = self._ring(0.84, -1.2 if front else -1.9)
        end = self._ring(0.53, 1.0 if front else 2.1)
        canvas.limb(start[:2], end[:2], (0.02, 0.02), dark)
        hip = self.pose.view.project(0.13 * person.breadth, 0.0, 0.48)
        w = 0.05 + 0.04 * abs(self.turn)
        canvas.polygon([(hip.x - w, hip.y - 0.06), (hip.x - w, hip.y + 0.05), (hip.x + w, hip.y + 0.05), (hip.x + w, hip.y - 0.06)], person.bag_colour)
        canvas.polygon([(hip.x - w, hip.y), (hip.x - w, hip.y + 0.05), (hip.x + w, hip.y + 0.05), (hip.x + w, hip.y)], dark, None)

    def _handbag(self, hand: XY) -> None:
        x, y = hand[:2]
        w = 0.045 + 0.03 * abs(self.turn)
        self.canvas.polygon([(x - 0.012, y), (x + 0.012, y), (x + w, y - 0.06), (x - w, y - 0.06)], shaded(self.person.bag_colour, 0.6))
        self.canvas.polygon([(x - w, y - 0.055), (x + w, y - 0.055), (x + w * 1.1, y - 0.15), (x - w * 1.1, y - 0.15)], self.person.bag_colour)
