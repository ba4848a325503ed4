"""Rank galleries: one picture per query."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont, ImageOps

from reidctl.data.images import read_image
from reidctl.errors import InputError
from reidctl.files import replacing
from reidctl.retrieval.arrays import thread_pool
from reidctl.types import camera_number

if TYPE_CHECKING:
    from reidctl.retrieval.ranking import Ranking
    from reidctl.types import Sample

Color = tuple[int, int, int]

TILE_WIDTH, TILE_HEIGHT = 128, 248
BORDER = 4
GAP, QUERY_GAP, MARGIN = 12, 56, 20
HEADER, CAPTION, ROW_GAP = 62, 58, 10
COLUMNS = 10
"""Gallery images in a row; more of them take further rows."""

INK: Color = (24, 24, 27)
PALE: Color = (113, 113, 122)
PAPER: Color = (255, 255, 255)
EMPTY: Color = (244, 244, 245)
RIGHT: Color = (22, 145, 63)
WRONG: Color = (214, 40, 40)


def draw_rank_galleries(
    ranking: Ranking,
    query_samples: Sequence[Sample],
    gallery_samples: Sequence[Sample],
    folder: Path,
    topk: int = 10,
) -> list[Path]:
    """Draw every row of a ranking into folder/<query name>.png; the paths, in that order.

    The query stands apart at the left in black, then its first topk gallery images, COLUMNS a row: green shows the
    same person, red another one. Under each stand rank and distance, identity, camera and file; a picture of another
    shape than the tile keeps it. ranking's positions count query_samples and gallery_samples.
    InputError for an image that cannot be read, or two queries of one name.
    """
    names = [query_samples[query].name for query in ranking.queries]
    require_names_apart("queries", names)
    with thread_pool() as pool:
        return list(
            pool.map(lambda row: _save(ranking, row, query_samples, gallery_samples, folder, topk), range(len(names)))
        )


def require_names_apart(what: str, names: Sequence[str]) -> None:
    """InputError for two of one name among what becomes pictures of that name."""
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise InputError(f"two {what} are named '{twice}': their pictures would be one file")


def _save(
    ranking: Ranking,
    row: int,
    query_samples: Sequence[Sample],
    gallery_samples: Sequence[Sample],
    folder: Path,
    topk: int,
) -> Path:
    query, shown = query_samples[ranking.queries[row]], min(topk, ranking.gallery.shape[1])
    canvas = _canvas(shown)
    draw = ImageDraw.Draw(canvas)
    average_precision = float(ranking.average_precision[row])
    measure = "no match in another camera" if math.isnan(average_precision) else f"AP {average_precision:.1%}"
    _write_header(draw, query.name, f"identity {query.identity}     camera {camera_number(query.camera)}     {measure}")
    _put(canvas, draw, (MARGIN, HEADER), query, INK, "query")
    for place in range(shown):
        corner = _corner(place)
        position = ranking.gallery[row, place]
        if position < 0:
            draw.rectangle((*corner, corner[0] + TILE_WIDTH - 1, corner[1] + TILE_HEIGHT - 1), fill=EMPTY)
            continue
        color = RIGHT if ranking.correct[row, place] else WRONG
        caption = f"{place + 1}   {ranking.distances[row, place]:.3f}"
        _put(canvas, draw, corner, gallery_samples[position], color, caption)
    path = folder / f"{query.name}.png"
    with replacing(path) as temporary:
        # Pillow's own level takes three times as long, most of a gallery's time, for a file smaller by a twentieth.
        canvas.save(temporary, compress_level=3)
    return path


def draw_found(query: Sample, found: Sequence[tuple[Sample, float]]) -> Image.Image:
    """The query and what a search found for it, each with its distance, laid out as rank galleries are.

    Green and red tell, as there, whether it is the same person, where both are known (identity 0 and up).
    InputError for an image that cannot be read.
    """
    canvas = _canvas(len(found))
    draw = ImageDraw.Draw(canvas)
    _write_header(draw, query.name, f"{len(found)} found" + (f"     {_facts(query)}" if query.identity >= 0 else ""))
    _put(canvas, draw, (MARGIN, HEADER), query, INK, "query")
    for place, (sample, distance) in enumerate(found):
        known = query.identity >= 0 and sample.identity >= 0
        color = INK if not known else RIGHT if query.identity == sample.identity else WRONG
        _put(canvas, draw, _corner(place), sample, color, f"{place + 1}   {distance:.3f}")
    return canvas


def _canvas(shown: int) -> Image.Image:
    columns, rows = min(shown, COLUMNS), max(1, math.ceil(shown / COLUMNS))
    width = 2 * MARGIN + TILE_WIDTH + QUERY_GAP + columns * (TILE_WIDTH + GAP) - GAP
    height = HEADER + rows * (TILE_HEIGHT + CAPTION + ROW_GAP) - ROW_GAP + MARGIN // 2
    return Image.new("RGB", (width, height), PAPER)


def _corner(place: int) -> tuple[int, int]:
    """Left and top of the tile of a gallery image."""
    row, column = divmod(place, COLUMNS)
    left = MARGIN + TILE_WIDTH + QUERY_GAP + column * (TILE_WIDTH + GAP)
    return left, HEADER + row * (TILE_HEIGHT + CAPTION + ROW_GAP)


def _write_header(draw: ImageDraw.ImageDraw, title: str, facts: str) -> None:
    draw.text((MARGIN, 12), title, INK, ImageFont.load_default(18))
    draw.text((MARGIN, 36), facts, PALE, ImageFont.load_default(14))


def _put(
    canvas: Image.Image,
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    sample: Sample,
    color: Color,
    caption: str,
) -> None:
    left, top = corner
    inner = (TILE_WIDTH - 2 * BORDER, TILE_HEIGHT - 2 * BORDER)
    draw.rectangle((left, top, left + TILE_WIDTH - 1, top + TILE_HEIGHT - 1), fill=color)
    picture = ImageOps.pad(read_image(sample.image), inner, Image.Resampling.BILINEAR, color=EMPTY)
    canvas.paste(picture, (left + BORDER, top + BORDER))
    middle, under = left + TILE_WIDTH // 2, top + TILE_HEIGHT
    draw.text((middle, under + 7), caption, color, ImageFont.load_default(15), anchor="ma")
    draw.text((middle, under + 26), _facts(sample), INK, ImageFont.load_default(12), anchor="ma")
    font = ImageFont.load_default(11)
    draw.text((middle, under + 43), shortened(sample.name, font, TILE_WIDTH), PALE, font, anchor="ma")


def _facts(sample: Sample) -> str:
    """Nothing of an image of which nothing is known."""
    return f"id {sample.identity}   cam {camera_number(sample.camera)}" if sample.identity >= 0 else ""


def shortened(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """`text`, its middle left out where it is wider than `width` pixels: names mostly differ at their ends."""
    kept = text
    for left_out in range(1, len(text)):
        if font.getlength(kept) <= width:
            break
        head = (len(text) - left_out) // 2
        kept = f"{text[:head]}…{text[head + left_out :]}"
    return kept
