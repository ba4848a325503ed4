"""What a camera looks at when nobody is there: a wide view from which every picture cuts its background."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from reidctl.datasets.synthetic.chance import Purpose, generator
from reidctl.datasets.synthetic.person import RGB, colour, shaded

STONES: tuple[RGB, ...] = ((150, 146, 138), (118, 116, 114), (176, 166, 148), (128, 108, 92), (96, 100, 108))
WALLS: tuple[RGB, ...] = (
    (178, 160, 136),
    (150, 84, 66),
    (196, 196, 190),
    (110, 116, 124),
    (160, 144, 96),
    (112, 84, 70),
)
GREENS: tuple[RGB, ...] = ((92, 118, 58), (70, 100, 54), (120, 130, 70), (58, 84, 50))
SIGNS: tuple[RGB, ...] = ((196, 50, 44), (40, 90, 160), (230, 200, 80), (60, 130, 80), (236, 236, 232), (36, 36, 40))


class Site:
    """A scene in the making: `size` in pixels, `skyline` the row where the ground begins, u the unit of length."""

    def __init__(self, rng: np.random.Generator, size: tuple[int, int]) -> None:
        self.rng = rng
        self.width, self.height = size
        self.skyline = int(self.height * rng.uniform(0.26, 0.46))
        self.u = self.height / 100
        self.image = Image.new("RGB", size)
        self.draw = ImageDraw.Draw(self.image)

    def box(self, left: float, top: float, right: float, bottom: float, fill: RGB) -> None:
        """A filled rectangle, in pixels; none where its bottom, rounded with the skyline, comes above its top."""
        if top <= bottom:
            self.draw.rectangle((left, top, right, bottom), fill=fill)

    def tiles(self, base: RGB, size: float, joint: float) -> None:
        """Ground of slabs in perspective, with joints darker by the factor `joint`."""
        self.box(0, self.skyline, self.width, self.height, base)
        line, middle, top = shaded(base, joint), self.width / 2, self.skyline
        y, step = float(top), size * self.u * 0.25
        while y < self.height:
            self.draw.line((0, y, self.width, y), fill=line, width=2)
            step *= 1.28
            y += step
        for k in range(-40, 41):
            x = middle + k * size * self.u
            self.draw.line((x, top, middle + (x - middle) * 2.2, self.height), fill=line, width=2)

    def blobs(self, count: int, top: float, bottom: float, radius: float, base: RGB) -> None:
        """Leaves, bushes or patches: ellipses of nearly one colour in the rows from `top` to `bottom`."""
        rng = self.rng
        for x, y, r, tone in zip(
            rng.uniform(0, self.width, count),
            np.sort(rng.uniform(top, bottom, count)),
            rng.uniform(0.5, 1.0, count) * radius * self.u,
            rng.uniform(0.6, 1.25, count),
            strict=True,
        ):
            self.draw.ellipse((x - r, y - r * 0.8, x + r, y + r * 0.8), fill=shaded(base, tone))


def _pavement(site: Site) -> None:
    rng, u = site.rng, site.u
    wall = colour(rng, WALLS)
    site.box(0, 0, site.width, site.skyline, wall)
    site.tiles(colour(rng, STONES), rng.uniform(9, 16), 0.8)
    x = 0.0
    while x < site.width:
        wide, glass = rng.uniform(10, 20) * u, colour(rng, ((70, 84, 100), (120, 140, 156), (46, 50, 58)))
        site.box(x, 4 * u, x + wide, site.skyline - 8 * u, shaded(wall, 0.7))
        site.box(x + u, 5 * u, x + wide - u, site.skyline - 9 * u, glass)
        site.box(x + wide / 2 - u / 2, 5 * u, x + wide / 2 + u / 2, site.skyline - 9 * u, shaded(wall, 0.7))
        x += wide + rng.uniform(6, 16) * u
    site.box(0, site.skyline - 3 * u, site.width, site.skyline, shaded(wall, 0.6))


def _park(site: Site) -> None:
    rng, u = site.rng, site.u
    green = colour(rng, GREENS)
    site.box(0, 0, site.width, site.skyline, shaded(green, 0.75))
    site.blobs(320, 0, site.skyline, 7, shaded(green, 0.85))
    site.box(0, site.skyline, site.width, site.height, green)
    site.blobs(500, site.skyline, site.height, 2.5, green)
    path = colour(rng, ((170, 158, 134), (140, 134, 124)))
    low = rng.uniform(60, 80) * u
    site.draw.polygon([(0, low), (site.width, low - 16 * u), (site.width, low + 18 * u), (0, low + 30 * u)], fill=path)
    for x in rng.uniform(0, site.width, 7):
        wide = rng.uniform(1.5, 4) * u
        site.box(x, 0, x + wide, site.skyline + rng.uniform(0, 14) * u, shaded((92, 70, 52), rng.uniform(0.7, 1.2)))


def _brick(site: Site) -> None:
    rng, u = site.rng, site.u
    base = colour(rng, ((150, 84, 66), (168, 120, 90), (128, 76, 66)))
    site.box(0, 0, site.width, site.skyline, shaded(base, 0.7))
    high, wide = 2.6 * u, 7 * u
    rows = int(site.skyline / high) + 1
    for row in range(rows):
        for k in range(int(site.width / wide) + 2):
            x = (k - 0.5 * (row % 2)) * wide
            brick = shaded(base, rng.uniform(0.85, 1.15))
            site.box(x, row * high, x + wide - 0.5 * u, (row + 1) * high - 0.5 * u, brick)
    site.tiles(colour(rng, STONES), rng.uniform(7, 12), 0.85)
    for x in rng.uniform(0, site.width, 4):
        site.box(x, site.skyline - 26 * u, x + 14 * u, site.skyline, shaded(colour(rng, SIGNS), 0.7))


def _shops(site: Site) -> None:
    rng, u = site.rng, site.u
    site.box(0, 0, site.width, site.skyline, (52, 54, 60))
    x = 0.0
    while x < site.width:
        wide = rng.uniform(18, 40) * u
        sign, glass = colour(rng, SIGNS), colour(rng, ((92, 104, 112), (150, 140, 110), (60, 66, 78)))
        site.box(x, 3 * u, x + wide, site.skyline, glass)
        for _ in range(6):
            left = x + rng.uniform(0, 0.9) * wide
            top = rng.uniform(12, 24) * u
            site.box(left, top, left + rng.uniform(2, 6) * u, site.skyline - 2 * u, shaded(colour(rng, SIGNS), 0.8))
        site.box(x, 3 * u, x + wide, 11 * u, sign)
        site.box(x + wide - 1.5 * u, 0, x + wide, site.skyline, (40, 40, 42))
        x += wide
    site.tiles(colour(rng, ((186, 180, 168), (150, 150, 152), (120, 104, 94))), rng.uniform(12, 20), 0.9)


def _parking(site: Site) -> None:
    rng, u = site.rng, site.u
    asphalt = colour(rng, ((92, 92, 96), (112, 110, 108), (76, 78, 84)))
    site.box(0, 0, site.width, site.skyline, shaded(colour(rng, GREENS), 0.8))
    site.blobs(200, 0, site.skyline, 6, shaded(colour(rng, GREENS), 0.8))
    site.box(0, site.skyline, site.width, site.height, asphalt)
    x = 0.0
    while x < site.width:
        if rng.random() < 0.75:
            draw_car(site.draw, (x, site.skyline + 6 * u), 40 * u, colour(rng, SIGNS + STONES))
        bay = (x - 3 * u, site.skyline + 6 * u, x - 16 * u, site.skyline + 34 * u)
        site.draw.line(bay, fill=(206, 206, 200), width=int(u) + 1)
        x += 48 * u
    kerb = rng.uniform(78, 90) * u
    site.box(0, kerb, site.width, kerb + 3 * u, shaded(asphalt, 1.5))


def _plaza(site: Site) -> None:
    rng, u = site.rng, site.u
    stone = colour(rng, ((196, 190, 178), (170, 172, 176), (186, 166, 140)))
    site.box(0, 0, site.width, site.skyline, shaded(stone, 0.5))
    for x in np.arange(0, site.width, 22 * u):
        site.box(x, 0, x + 6 * u, site.skyline, shaded(stone, 0.95))
        site.box(x + 4.5 * u, 0, x + 6 * u, site.skyline, shaded(stone, 0.75))
    site.tiles(stone, rng.uniform(14, 24), 0.88)
    for k in range(4):
        top = site.skyline + k * 3 * u
        site.box(0, top, site.width, top + 1.4 * u, shaded(stone, 0.72))


SITES: tuple[Callable[[Site], None], ...] = (_pavement, _park, _brick, _shops, _parking, _plaza)


def draw_car(draw: ImageDraw.ImageDraw, corner: tuple[float, float], length: float, paint: RGB) -> None:
    """A car from the side, its wheels on `corner` (left, ground row), `length` pixels long."""
    left, ground = corner
    v = length / 40

    def outline(*points: tuple[float, float]) -> list[tuple[float, float]]:
        return [(left + x * v, ground - y * v) for x, y in points]

    draw.polygon(outline((0, 3), (0, 9), (7, 10.5), (13, 16), (27, 16), (33, 10.5), (40, 9), (40, 3)), fill=paint)
    draw.polygon(outline((9, 10.5), (14, 15), (26, 15), (31, 10.5)), fill=(54, 62, 72))
    draw.rectangle((left + 19.4 * v, ground - 15 * v, left + 20.4 * v, ground - 10 * v), fill=paint)
    draw.rectangle((left, ground - 5 * v, left + 40 * v, ground - 4 * v), fill=shaded(paint, 0.7))
    for x in (8, 32):
        draw.ellipse((left + (x - 3.4) * v, ground - 6 * v, left + (x + 3.4) * v, ground + 0.8 * v), fill=(28, 28, 30))
        draw.ellipse(
            (left + (x - 1.6) * v, ground - 4.2 * v, left + (x + 1.6) * v, ground - 1 * v), fill=(130, 130, 134)
        )


@lru_cache(maxsize=64)
def scene(seed: int, camera: int, height: int) -> Image.Image:
    """The view of `camera`, six times as wide as the pictures of `height` pixels cut from it; do not draw on it."""
    rng = generator(seed, Purpose.SCENE, camera)
    first = int(generator(seed, Purpose.SITES).integers(len(SITES)))  # neighbours differ in kind
    site = Site(rng, (height * 3, height + height // 4))
    SITES[(first + camera) % len(SITES)](site)
    return _weathered(site)


def _weathered(site: Site) -> Image.Image:
    """The scene with stains and grain: brightness that varies over long and short distances."""
    rng = site.rng
    light = np.ones((site.height, site.width), np.float32)
    for cell, strength in ((40, 0.16), (10, 0.1), (3, 0.07)):
        cells = max(int(site.width / (cell * site.u)), 2), max(int(site.height / (cell * site.u)), 2)
        grid = Image.fromarray(rng.random(cells[::-1], dtype=np.float32) - 0.5)
        light += 2 * strength * np.asarray(grid.resize(site.image.size, Image.Resampling.BILINEAR))
    muted = Image.blend(site.image.convert("L").convert("RGB"), site.image, 0.6)
    pixels = 128 + (np.asarray(muted, np.float32) - 128) * 0.75
    return Image.fromarray((pixels * light[..., None]).clip(0, 255).astype(np.uint8))
