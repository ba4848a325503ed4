import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reidctl.errors import InputError
from reidctl.retrieval.gallery import draw_rank_galleries, write_html
from reidctl.retrieval.ranking import Ranking
from reidctl.types import Sample

BLUE, GREEN, RED, BLACK, PAPER = (40, 60, 200), (22, 145, 63), (214, 40, 40), (24, 24, 27), (255, 255, 255)
EMPTY = (244, 244, 245)
LEFT, PITCH, TOP = 20 + 128 + 44, 128 + 12, 62


def sample(name: str, identity: int) -> Sample:
    return Sample(partial(Image.new, "RGB", (64, 128), BLUE), name, identity, 2)


QUERIES = [sample("easy", 1), sample("hard & <odd>", 2), sample("alone", 9)]
GALLERY = [sample(f"g{i}", i) for i in range(1, 4)]


def ranking() -> Ranking:
    return Ranking(
        queries=np.array([0, 1, 2]),
        gallery=np.array([[0, 1, 2], [0, 1, -1], [2, 1, 0]]),
        distances=np.array([[0.1, 0.2, 0.3], [0.1, 0.2, np.inf], [0.1, 0.2, 0.3]], np.float32),
        correct=np.array([[True, False, False], [False, True, False], [False, False, False]]),
        average_precision=np.array([1.0, 0.5, np.nan]),
    )


def pixel(picture: Image.Image, x: int, y: int) -> tuple[int, ...]:
    return picture.getpixel((x, y))


def near(found: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return max(abs(a - b) for a, b in zip(found, wanted, strict=True)) < 40


def test_borders_tell_the_query_the_right_and_the_wrong(tmp_path: Path) -> None:
    paths = draw_rank_galleries(ranking().take([1, 0]), QUERIES, GALLERY, tmp_path / "galleries")
    assert [path.name for path in paths] == ["hard & <odd>.jpg", "easy.jpg"]
    with Image.open(paths[0]) as hard:
        borders = [pixel(hard, x + 2, TOP + 128) for x in (20, LEFT, LEFT + PITCH)]
        inside = [pixel(hard, x + 64, TOP + 128) for x in (20, LEFT, LEFT + PITCH, LEFT + 2 * PITCH)]
        assert hard.width == LEFT + 3 * PITCH - 12 + 20
    assert [near(*pair) for pair in zip(borders, [BLACK, RED, GREEN], strict=True)] == [True] * 3
    assert [near(*pair) for pair in zip(inside, [BLUE, BLUE, BLUE, EMPTY], strict=True)] == [True] * 4


def test_no_more_than_the_asked_images_are_drawn(tmp_path: Path) -> None:
    (path,) = draw_rank_galleries(ranking().take([0]), QUERIES, GALLERY, tmp_path, topk=1)
    with Image.open(path) as picture:
        assert picture.width == LEFT + PITCH - 12 + 20


def test_two_queries_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two queries are named 'easy'"):
        draw_rank_galleries(ranking(), [QUERIES[0]] * 3, GALLERY, tmp_path)


def test_the_page_shows_the_worst_first_and_needs_nothing_else(tmp_path: Path) -> None:
    paths = draw_rank_galleries(ranking(), QUERIES, GALLERY, tmp_path / "galleries")
    write_html(ranking(), QUERIES, paths, tmp_path / "index.html", title="Market & co")
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "<title>Market &amp; co</title>" in page
    assert re.findall(r'data-name="(.*?)"', page) == ["hard &amp; &lt;odd&gt;", "easy", "alone"]
    assert "mean AP 75.0 %" in page
    assert page.count("no match in another camera") == 1
    assert "http" not in page
    sources = re.findall(r'<img src="(.*?)"', page)
    assert sources == ["galleries/hard%20%26%20%3Codd%3E.jpg", "galleries/easy.jpg", "galleries/alone.jpg"]
