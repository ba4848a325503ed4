"""A contact sheet: training images beside what the epochs make of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from reidctl.data.draws import Draw
from reidctl.data.images import load_array
from reidctl.data.loader import TrainBatches
from reidctl.types import ImageSpec, ReidData, Sample, camera_number

MARGIN, GAP, HEADER, CAPTION = 16, 8, 26, 22
LEAST_WIDTH = 96
"""Of a column, so that its heading fits."""
INK, PALE, PAPER, EMPTY = (24, 24, 27), (113, 113, 122), (255, 255, 255), (235, 235, 238)


@dataclass(frozen=True, slots=True)
class Row:
    """A training sample and where each epoch draws it first; None where an epoch leaves it out."""

    sample: Sample
    draws: tuple[Draw | None, ...]


def sheet_rows(data: ReidData, batches: TrainBatches, count: int, epochs: int) -> list[Row]:
    """`count` samples spread over the first epoch, and where the first `epochs` epochs draw them.

    Fewer where the first epoch draws fewer.
    """
    places = [_first_places(batches.draws(epoch)) for epoch in range(epochs)]
    drawn = list(places[0])
    count = min(count, len(drawn))
    chosen = [drawn[row * len(drawn) // count] for row in range(count)]
    return [Row(data.train[sample], tuple(place.get(sample) for place in places)) for sample in chosen]


def contact_sheet(rows: Sequence[Row], batches: TrainBatches, spec: ImageSpec) -> Image.Image:
    """One line a row: the original at the size of `spec`, then what each epoch, counted from 1, trains on."""
    width, height = max(spec.width, LEAST_WIDTH), CAPTION + spec.height + GAP
    epochs = len(rows[0].draws)
    size = (2 * MARGIN + (1 + epochs) * (width + GAP) - GAP, 2 * MARGIN + HEADER + len(rows) * height)
    sheet = Image.new("RGB", size, PAPER)
    pen, bold, small = ImageDraw.Draw(sheet), ImageFont.load_default(15), ImageFont.load_default(13)
    for column, title in enumerate(["original", *(f"epoch {epoch + 1}" for epoch in range(epochs))]):
        pen.text((MARGIN + column * (width + GAP), MARGIN), title, INK, bold)
    for index, row in enumerate(rows):
        top = MARGIN + HEADER + index * height
        shown, camera = row.sample, camera_number(row.sample.camera)
        pen.text((MARGIN, top), f"{shown.name}     identity {shown.identity}     camera {camera}", PALE, small)
        for column, tile in enumerate(_tiles(row, batches, spec)):
            left = MARGIN + column * (width + GAP)
            if tile is None:
                pen.rectangle((left, top + CAPTION, left + spec.width - 1, top + CAPTION + spec.height - 1), fill=EMPTY)
                pen.text((left + 6, top + CAPTION + 6), "not drawn", PALE, small)
            else:
                sheet.paste(Image.fromarray(tile), (left, top + CAPTION))
    return sheet


def _tiles(row: Row, batches: TrainBatches, spec: ImageSpec) -> list[np.ndarray | None]:
    return [load_array(row.sample, spec), *(batches.image(draw) if draw else None for draw in row.draws)]


def _first_places(draws: Sequence[Draw]) -> dict[int, Draw]:
    """Each sample that is drawn -> its first draw, in the order of the draws."""
    first: dict[int, Draw] = {}
    for draw in draws:
        first.setdefault(draw.sample, draw)
    return first
