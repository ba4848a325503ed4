"""Rank galleries: one picture per query, and a page to look through them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from reidctl.data.images import read_image
from reidctl.errors import InputError
from reidctl.files import replacing, write_text
from reidctl.retrieval.arrays import thread_pool

if TYPE_CHECKING:
    from reidctl.retrieval.ranking import Ranking
    from reidctl.types import Sample

Color = tuple[int, int, int]

TILE_WIDTH, TILE_HEIGHT = 128, 256
BORDER = 5
GAP, QUERY_GAP, MARGIN = 12, 44, 20
HEADER, CAPTION = 62, 30
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
    """Draw every row of a ranking into folder/<query name>.jpg; the paths, in that order.

    The query stands at the left in black, then its first topk gallery images: green shows the same person, red
    another one; below each its rank and distance. ranking's positions count query_samples and gallery_samples.
    InputError for an image that cannot be read, or two queries of one name.
    """
    names = [query_samples[query].name for query in ranking.queries]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"two queries are named '{twice}': their galleries would be one file")
    with thread_pool() as pool:
        return list(
            pool.map(lambda row: _save(ranking, row, query_samples, gallery_samples, folder, topk), range(len(names)))
        )


def write_html(
    ranking: Ranking,
    query_samples: Sequence[Sample],
    pictures: Sequence[Path],
    path: Path,
    title: str = "Rank galleries",
) -> None:
    """Write a page that shows pictures[i] for row i of the ranking, worst first, to be sorted and filtered.

    The page needs no network; it refers to the pictures by their paths relative to its own folder.
    """
    from jinja2 import Template

    rows = [
        {
            "name": query_samples[ranking.queries[row]].name,
            "identity": query_samples[ranking.queries[row]].identity,
            "camera": query_samples[ranking.queries[row]].camera,
            "ap": None if math.isnan(ranking.average_precision[row]) else float(ranking.average_precision[row]),
            "right": int(ranking.correct[row].sum()),
            "shown": ranking.correct.shape[1],
            "picture": picture.relative_to(path.parent).as_posix(),
        }
        for row, picture in enumerate(pictures)
    ]
    rows.sort(key=lambda row: (row["ap"] is None, row["ap"] or 0.0))
    known = [row["ap"] for row in rows if row["ap"] is not None]
    template = Template(Path(__file__).with_name("gallery.html").read_text(encoding="utf-8"), autoescape=True)
    mean = sum(known) / len(known) if known else None
    write_text(path, template.render(title=title, rows=rows, mean=mean))


def _save(
    ranking: Ranking,
    row: int,
    query_samples: Sequence[Sample],
    gallery_samples: Sequence[Sample],
    folder: Path,
    topk: int,
) -> Path:
    query = query_samples[ranking.queries[row]]
    canvas = _canvas(min(topk, ranking.gallery.shape[1]))
    draw = ImageDraw.Draw(canvas)
    _write_header(draw, query, float(ranking.average_precision[row]))
    _put(canvas, draw, MARGIN, query, INK, "query")
    for place in range(min(topk, ranking.gallery.shape[1])):
        left = MARGIN + TILE_WIDTH + QUERY_GAP + place * (TILE_WIDTH + GAP)
        position = ranking.gallery[row, place]
        if position < 0:
            draw.rectangle((left, HEADER, left + TILE_WIDTH - 1, HEADER + TILE_HEIGHT - 1), fill=EMPTY)
            continue
        color = RIGHT if ranking.correct[row, place] else WRONG
        caption = f"{place + 1}   {ranking.distances[row, place]:.3f}"
        _put(canvas, draw, left, gallery_samples[position], color, caption)
    path = folder / f"{query.name}.jpg"
    with replacing(path) as temporary:
        canvas.save(temporary, quality=90)
    return path


def _canvas(topk: int) -> Image.Image:
    width = 2 * MARGIN + TILE_WIDTH + QUERY_GAP + topk * (TILE_WIDTH + GAP) - GAP
    return Image.new("RGB", (width, HEADER + TILE_HEIGHT + CAPTION + MARGIN // 2), PAPER)


def _write_header(draw: ImageDraw.ImageDraw, query: Sample, average_precision: float) -> None:
    measure = "no match in another camera" if math.isnan(average_precision) else f"AP {average_precision:.1%}"
    draw.text((MARGIN, 12), query.name, INK, ImageFont.load_default(18))
    facts = f"identity {query.identity}     camera {query.camera}     {measure}"
    draw.text((MARGIN, 36), facts, PALE, ImageFont.load_default(14))


def _put(canvas: Image.Image, draw: ImageDraw.ImageDraw, left: int, sample: Sample, color: Color, caption: str) -> None:
    inner = (TILE_WIDTH - 2 * BORDER, TILE_HEIGHT - 2 * BORDER)
    draw.rectangle((left, HEADER, left + TILE_WIDTH - 1, HEADER + TILE_HEIGHT - 1), fill=color)
    picture = read_image(sample.image).resize(inner, Image.Resampling.BILINEAR)
    canvas.paste(picture, (left + BORDER, HEADER + BORDER))
    middle = (left + TILE_WIDTH // 2, HEADER + TILE_HEIGHT + 8)
    draw.text(middle, caption, color, ImageFont.load_default(15), anchor="ma")
