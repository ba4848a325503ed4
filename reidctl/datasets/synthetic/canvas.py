"""Where the drawing happens: a colour layer drawn three times too large and a light layer beside it."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFilter

from reidctl.datasets.synthetic.person import RGB
from reidctl.datasets.synthetic.pose import Point

OVERSAMPLING = 3
NEUTRAL = 128
XY = tuple[float, float] | Point


class Canvas:
    """A picture in the making, on a `background` that is OVERSAMPLING times too large and is drawn on.

    Points are in body heights, x to the right and y up, from `origin` (pixels of the finished picture) on; `scale`
    is the body height in those pixels. The light layer multiplies the colours: NEUTRAL leaves them alone.
    `light` comes from the left (-1) to the right (1).
    """

    def __init__(self, background: Image.Image, origin: tuple[float, float], scale: float, light: float) -> None:
        self.image = background
        self.shade = Image.new("L", (background.width // OVERSAMPLING, background.height // OVERSAMPLING), NEUTRAL)
        self.light = light
        self._draw, self._shade = ImageDraw.Draw(background), ImageDraw.Draw(self.shade)
        self.place(origin, scale)

    def place(self, origin: tuple[float, float], scale: float) -> None:
        """Move the origin and the scale; for another figure."""
        self._x, self._y = origin
        self._scale = scale

    def polygon(self, points: Sequence[XY], fill: RGB, shade: int | None = NEUTRAL) -> None:
        """A filled shape; `shade` None keeps the light that lies there."""
        pixels = self._pixels(points)
        self._draw.polygon([(x * OVERSAMPLING, y * OVERSAMPLING) for x, y in pixels], fill=fill)
        if shade is not None:
            self._shade.polygon(pixels, fill=shade)

    def tint(self, points: Sequence[XY], shade: int) -> None:
        """Only light: darker below NEUTRAL, lighter above."""
        self._shade.polygon(self._pixels(points), fill=shade)

    def ellipse(self, centre: XY, width: float, height: float, fill: RGB, shade: int | None = NEUTRAL) -> None:
        """A filled ellipse of the given full width and height; `shade` None keeps the light that lies there."""
        left, top, right, bottom = box = self._box(centre, width, height)
        k = OVERSAMPLING
        self._draw.ellipse((left * k, top * k, right * k, bottom * k), fill=fill)
        if shade is not None:
            self._shade.ellipse(box, fill=shade)

    def cast(self, centre: XY, width: float, height: float, shade: int) -> None:
        """A shadow: an ellipse of only light."""
        self._shade.ellipse(self._box(centre, width, height), fill=shade)

    def limb(self, start: XY, end: XY, widths: tuple[float, float], fill: RGB, shade: int = NEUTRAL) -> None:
        """A tapered, round-ended limb from `start` to `end`, full `widths` at both, darker away from the light."""
        ax, ay, bx, by = start[0], start[1], end[0], end[1]
        dx, dy = bx - ax, by - ay
        length = max((dx * dx + dy * dy) ** 0.5, 1e-6)
        nx, ny = -dy / length, dx / length
        wa, wb = widths[0] / 2, widths[1] / 2

        def band(near: float, far: float) -> tuple[XY, XY, XY, XY]:
            """The part of the limb between two lines along it; -1 and 1 are its edges."""
            return (
                (ax + nx * wa * near, ay + ny * wa * near),
                (bx + nx * wb * near, by + ny * wb * near),
                (bx + nx * wb * far, by + ny * wb * far),
                (ax + nx * wa * far, ay + ny * wa * far),
            )

        self.polygon(band(1, -1), fill, shade)
        self.ellipse(start, widths[0], widths[0], fill, shade)
        self.ellipse(end, widths[1], widths[1], fill, shade)
        side = -1.0 if nx * self.light > 0 else 1.0
        self.tint(band(side, side * 0.1), round(shade * (1 - 0.3 * abs(self.light))))

    def finish(self) -> tuple[Image.Image, Image.Image]:
        """The colours (RGB) and the light (L) at the size of the picture."""
        return self.image.reduce(OVERSAMPLING), self.shade.filter(ImageFilter.BoxBlur(0.7))

    def _pixels(self, points: Sequence[XY]) -> list[tuple[float, float]]:
        x, y, scale = self._x, self._y, self._scale
        return [(x + point[0] * scale, y - point[1] * scale) for point in points]

    def _box(self, centre: XY, width: float, height: float) -> tuple[float, float, float, float]:
        x, y = self._x + centre[0] * self._scale, self._y - centre[1] * self._scale
        w, h = width * self._scale / 2, height * self._scale / 2
        return x - w, y - h, x + w, y + h
