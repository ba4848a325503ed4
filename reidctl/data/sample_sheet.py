"""One picture of a data set: people in rows, cameras in columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from reidctl.data.images import read_image, require_picture
from reidctl.data.leakage import tested_people
from reidctl.data.statistics import first_seen
from reidctl.errors import InputError, ReidError
from reidctl.files import replacing
from reidctl.types import ReidData, Sample, camera_number

PEOPLE, CAMERAS = 12, 16
TILE = (64, 128)
GAP, LABEL = 6, 22
INK, PAPER, EMPTY, BROKEN = (24, 24, 27), (255, 255, 255), (235, 235, 238), (214, 40, 40)

Row = tuple[str, dict[int, Sample]]
"""The label of a person and the first sample by each camera."""


def draw_samples(data: ReidData, path: Path) -> Path:
    """Write a picture of up to PEOPLE training people and as many of the test, by up to CAMERAS cameras; its path.

    The people are spread evenly over the sorted identities; a cell shows the first image of the person by the camera,
    red where that cannot be read, grey where there is none. The kind of file follows the suffix.
    Raises InputError for a data set without images and a suffix that names no kind of picture.
    """
    require_picture(path)
    people = tested_people(data)
    tested = [sample for sample in (*data.query, *data.gallery) if sample.identity in people]
    rows = [*_rows("train", data.train, data.train_identities), *_rows("test", tested)]
    if not rows:
        raise InputError(f"data set '{data.name}' has no images to draw")
    sheet = _sheet(rows)
    with replacing(path) as temporary:
        sheet.save(temporary)
    return path


def _sheet(rows: Sequence[Row]) -> Image.Image:
    cameras = sorted({camera for _, seen in rows for camera in seen})[:CAMERAS]
    font = ImageFont.load_default(13)
    left = GAP + max(int(font.getlength(label)) for label, _ in rows) + GAP
    width, height = TILE[0] + GAP, TILE[1] + GAP
    sheet = Image.new("RGB", (left + len(cameras) * width, LABEL + len(rows) * height), PAPER)
    draw = ImageDraw.Draw(sheet)
    for column, camera in enumerate(cameras):
        draw.text((left + column * width + TILE[0] // 2, 4), f"cam {camera_number(camera)}", INK, font, anchor="ma")
    for row, (label, seen) in enumerate(rows):
        top = LABEL + row * height
        draw.text((GAP, top + TILE[1] // 2), label, INK, font, anchor="lm")
        for column, camera in enumerate(cameras):
            sheet.paste(_tile(seen.get(camera)), (left + column * width, top))
    return sheet


def _rows(part: str, samples: Sequence[Sample], numbers: Sequence[int] = ()) -> list[Row]:
    seen = first_seen(samples)
    people = sorted(seen)
    chosen = [people[place * len(people) // PEOPLE] for place in range(PEOPLE)] if len(people) > PEOPLE else people
    return [(f"{part} {numbers[person] if numbers else person}", seen[person]) for person in chosen]


def _tile(sample: Sample | None) -> Image.Image:
    if sample is None:
        return Image.new("RGB", TILE, EMPTY)
    try:
        return read_image(sample.image).resize(TILE, Image.Resampling.BILINEAR)
    except ReidError:
        return Image.new("RGB", TILE, BROKEN)
