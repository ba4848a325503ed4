"""Who is drawn: everything that stays with a person from camera to camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeVar

import numpy as np

from reidctl.datasets.synthetic.chance import Purpose, generator

T = TypeVar("T")
RGB = tuple[int, int, int]
Pattern = Literal["plain", "stripes", "pinstripes", "checks", "block", "logo", "band", "dots"]
Hair = Literal["bald", "short", "bob", "long", "ponytail", "bun"]
Hat = Literal["none", "cap", "beanie"]
Bag = Literal["none", "backpack", "shoulder", "handbag"]
LegWear = Literal["trousers", "shorts", "skirt", "dress"]
Sleeves = Literal["none", "short", "long"]
Outer = Literal["none", "jacket", "coat", "hoodie"]

SKINS: tuple[RGB, ...] = ((244, 214, 190), (229, 190, 158), (198, 150, 116), (150, 104, 76), (104, 72, 54))
HAIRS: tuple[RGB, ...] = ((30, 26, 26), (62, 44, 34), (104, 72, 46), (190, 152, 92), (150, 70, 38), (166, 164, 162))
TOPS: tuple[RGB, ...] = (
    (34, 34, 38), (92, 94, 100), (162, 164, 168), (236, 236, 232), (214, 192, 154), (112, 78, 54), (38, 46, 86),
    (44, 92, 176), (130, 178, 220), (36, 132, 132), (54, 124, 66), (108, 112, 60), (232, 200, 70), (226, 126, 48),
    (196, 44, 46), (118, 34, 52), (228, 140, 168), (120, 78, 150),
)  # fmt: skip
LEGS: tuple[RGB, ...] = (
    (32, 32, 36), (78, 80, 86), (150, 152, 156), (42, 52, 88), (66, 92, 142), (136, 164, 198), (190, 168, 128),
    (104, 76, 56), (224, 222, 214), (88, 96, 62), (140, 46, 52),
)  # fmt: skip
SHOES: tuple[RGB, ...] = ((30, 30, 32), (236, 236, 234), (112, 74, 46), (172, 46, 46), (60, 80, 130), (140, 140, 144))


@dataclass(frozen=True, slots=True)
class Person:
    """A body, its hair and its clothes. stature and breadth scale the height and the width of the figure."""

    stature: float
    breadth: float
    skin: RGB
    hair: Hair
    hair_colour: RGB
    hat: Hat
    hat_colour: RGB
    top: RGB
    accent: RGB
    pattern: Pattern
    sleeves: Sleeves
    raglan: bool
    outer: Outer
    outer_colour: RGB
    legwear: LegWear
    legs: RGB
    shoes: RGB
    bag: Bag
    bag_colour: RGB


@lru_cache(maxsize=8192)
def person(seed: int, number: int) -> Person:
    """The person `number` of the world `seed`; the same in every process."""
    rng = generator(seed, Purpose.PERSON, number)
    top = colour(rng, TOPS)
    legwear: LegWear = pick(rng, ("trousers", "shorts", "skirt", "dress"), (60, 20, 12, 8))
    return Person(
        stature=rng.uniform(0.93, 1.0),
        breadth=rng.uniform(0.98, 1.36),
        skin=colour(rng, SKINS, 6),
        hair=pick(rng, ("bald", "short", "bob", "long", "ponytail", "bun"), (6, 40, 14, 18, 14, 8)),
        hair_colour=colour(rng, HAIRS, 8),
        hat=pick(rng, ("none", "cap", "beanie"), (78, 14, 8)),
        hat_colour=colour(rng, TOPS),
        top=top,
        accent=contrasting(rng, top),
        pattern=pick(
            rng,
            ("plain", "stripes", "pinstripes", "checks", "block", "logo", "band", "dots"),
            (30, 14, 8, 10, 12, 12, 8, 6),
        ),
        sleeves=pick(rng, ("none", "short", "long"), (10, 50, 40)),
        raglan=rng.random() < 0.12,
        outer=pick(rng, ("none", "jacket", "coat", "hoodie"), (68, 16, 6, 10)),
        outer_colour=colour(rng, TOPS),
        legwear=legwear,
        legs=colour(rng, LEGS) if legwear in ("trousers", "shorts") else colour(rng, TOPS),
        shoes=colour(rng, SHOES),
        bag=pick(rng, ("none", "backpack", "shoulder", "handbag"), (50, 24, 15, 11)),
        bag_colour=colour(rng, TOPS),
    )


def pick(rng: np.random.Generator, values: Sequence[T], weights: Sequence[float]) -> T:
    """One of `values`, with odds in proportion to `weights`."""
    target = rng.random() * sum(weights)
    for value, weight in zip(values, weights, strict=True):
        target -= weight
        if target < 0:
            return value
    return values[-1]


def colour(rng: np.random.Generator, palette: Sequence[RGB], spread: int = 14) -> RGB:
    """A colour of the palette, each channel moved by at most `spread`."""
    base = palette[int(rng.integers(len(palette)))]
    moves = rng.integers(-spread, spread + 1, 3)
    red, green, blue = (min(max(c + int(d), 0), 255) for c, d in zip(base, moves, strict=True))
    return red, green, blue


def contrasting(rng: np.random.Generator, other: RGB) -> RGB:
    """A colour of the clothes palette that can be told from `other`: at least 150 away, summed over channels."""
    far = [c for c in TOPS if sum(abs(a - b) for a, b in zip(c, other, strict=True)) >= 150]
    return colour(rng, far)


def shaded(base: RGB, factor: float) -> RGB:
    """`base` made darker (factor < 1) or lighter (factor > 1)."""
    red, green, blue = (min(int(c * factor), 255) for c in base)
    return red, green, blue
