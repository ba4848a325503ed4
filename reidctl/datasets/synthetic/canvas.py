"""Where the drawing happens: a colour layer drawn three times too large and a light layer beside it."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFilter

from reidctl.datasets.synthetic.person import RGB

OVERSAMPLING = 3
NEUTRAL = 128
XY = tuple[float, float]


class Canvas:
    """A picture in the making.

    Points are in body heights, x to the right and y up, from `origin` (pixels of the finished picture) on;
    `scale` is the body height in those pixels. The light layer multiplies the colours: NEUTRAL leaves them alone.
    """

    def __init__(self, background: Image.Image, origin: XY, scale: float, light: float) -> None:
        self.image = background
        self.light = light
        size = background.width // OVERSAMPLING, background.height // OVERSAMPLING
        self.shade = Image.new("L", size, NEUTRAL)
        self._draw = ImageDraw.Draw(background)
        self._shade = ImageDraw.Draw(self.shade)
        self.place(origin, scale)

    def place(self, origin: XY, scale: float) -> None:
        """Move the origin and the scale; for a second figure."""
        self._x, self._y = origin
        self._scale = scale

    def polygon(self, points: Sequence[XY], fill: RGB, shade: int | None = NEUTRAL) -> None:
        """A filled shape; `shade` None keeps the light that lies there."""
        x, y, scale = self._x, self._y, self._scale
        flat = [(x + px * scale, y - py * scale) for px, py in points]
        self._draw.polygon([(px * OVERSAMPLING, py * OVERSAMPLING) for px, py in flat], fill=fill)
        if shade is not None:
            self._shade.polygon(flat, fill=shade)

    def tint(self, points: Sequence[XY], shade: int) -> None:
        """Only light: darker below NEUTRAL, lighter above."""
        x, y, scale = self._x, self._y, self._scale
        self._shade.polygon([(x + px * scale, y - py * scale) for px, py in points], fill=shade)

    def ellipse(self, centre: XY, width: float, height: float, fill: RGB | None, shade: int | None = NEUTRAL) -> None:
        """A filled ellipse of the given full width and height; `fill` None draws only light."""
        x, y = self._x + centre[0] * self._scale, self._y - centre[1] * self._scale
        w, h = width * self._scale / 2, height * self._scale / 2
        if fill is not None:
            k = OVERSAMPLING
            self._draw.ellipse(((x - w) * k, (y - h) * k, (x + w) * k, (y + h) * k), fill=fill)
        if shade is not None:
            self._shade.ellipse((x - w, y - h, x + w, y + h), fill=shade)

    def limb(self, start: XY, end: XY, widths: XY, fill: RGB, shade: int = NEUTRAL) -> None:
        """A tapered, round-ended limb from `start` to `end`, full `widths` at both, darker away from the light."""
        (ax, ay), (bx, by) = start[:2], end[:2]
        dx, dy = bx - ax, by - ay
        length = max((dx * dx + dy * dy) ** 0.5, 1e-6)
        nx, ny = -dy / length, dx / length
        wa, wb = widths[0] / 2, widths[1] / 2
        self.polygon(
            ((ax + nx * wa, ay + ny * wa), (bx + nx * wb, by + ny * wb), (bx - nx * wb, by - ny * wb), (ax - nx * wa, ay - ny * wa)),
            fill, shade,
        )
        self.ellipse((ax, ay), widths[0], widths[0], fill, shade)
        self.ellipse((bx, by), widths[1], widths[1], fill, shade)
        side = -1.0 if nx * self.light > 0 else 1.0
        wa, wb = wa * side, wb * side
        dark = round(shade * (1 - 0.3 * abs(self.light)))
        self.tint(
            ((ax + nx * wa, ay + ny * wa), (bx + nx * wb, by + ny * wb), (bx + nx * wb * 0.1, by + ny * wb * 0.1), (ax + nx * wa * 0.1, ay + ny * wa * 0.1)),
            dark,
        )

    def finish(self) -> tuple[Image.Image, Image.Image]:
        """The colours (RGB) and the light (L) at the size of the picture."""
        return self.image.reduce(OVERSAMPLING), self.shade.filter(ImageFilter.BoxBlur(0.7))
