from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from reidctl.errors import InputError
from reidctl.retrieval.gallery import draw_found, draw_rank_galleries, shortened
from reidctl.retrieval.ranking import Ranking
from reidctl.types import Sample

BLUE, GREEN, RED, BLACK, PAPER = (40, 60, 200), (22, 145, 63), (214, 40, 40), (24, 24, 27), (255, 255, 255)
EMPTY = (244, 244, 245)
LEFT, PITCH, TOP = 20 + 128 + 56, 128 + 12, 62


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


def test_borders_tell_the_query_the_right_and_the_wrong(tmp_path: Path) -> None:
    paths = draw_rank_galleries(ranking().take([1, 0]), QUERIES, GALLERY, tmp_path / "galleries")
    assert [path.name for path in paths] == ["hard & <odd>.png", "easy.png"]
    with Image.open(paths[0]) as hard:
        borders = [pixel(hard, x + 2, TOP + 128) for x in (20, LEFT, LEFT + PITCH)]
        inside = [pixel(hard, x + 64, TOP + 128) for x in (20, LEFT, LEFT + PITCH, LEFT + 2 * PITCH)]
        assert hard.width == LEFT + 3 * PITCH - 12 + 20
    assert borders == [BLACK, RED, GREEN]
    assert inside == [BLUE, BLUE, BLUE, EMPTY]


def test_no_more_than_the_asked_images_are_drawn(tmp_path: Path) -> None:
    (path,) = draw_rank_galleries(ranking().take([0]), QUERIES, GALLERY, tmp_path, topk=1)
    with Image.open(path) as picture:
        assert picture.width == LEFT + PITCH - 12 + 20


def test_two_queries_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two queries are named 'easy'"):
        draw_rank_galleries(ranking(), [QUERIES[0]] * 3, GALLERY, tmp_path)


def test_many_images_take_several_rows_under_one_another(tmp_path: Path) -> None:
    wide = Ranking(
        queries=np.array([0]),
        gallery=np.full((1, 13), 2),
        distances=np.full((1, 13), 0.5, np.float32),
        correct=np.zeros((1, 13), bool),
        average_precision=np.array([0.5]),
    )
    (path,) = draw_rank_galleries(wide, QUERIES, GALLERY, tmp_path, topk=13)
    with Image.open(path) as picture:
        assert picture.width == LEFT + 10 * PITCH - 12 + 20
        second = TOP + 248 + 58 + 10
        assert pixel(picture, LEFT + 2, second + 128) == RED
        assert pixel(picture, LEFT + 3 * PITCH + 2, second + 128) == PAPER


def test_under_each_image_stand_distance_identity_camera_and_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    draw = ImageDraw.ImageDraw.text
    monkeypatch.setattr(
        ImageDraw.ImageDraw,
        "text",
        lambda self, place, text, *rest, **more: written.append(text) or draw(self, place, text, *rest, **more),
    )
    draw_rank_galleries(ranking().take([0]), QUERIES, GALLERY, tmp_path, topk=1)
    assert written == [
        *("easy", "identity 1     camera 3     AP 100.0%", "query", "id 1   cam 3", "easy"),
        *("1   0.100", "id 1   cam 3", "g1"),
    ]


def test_a_long_name_loses_its_middle() -> None:
    font = ImageFont.load_default(11)
    name = "0123_c1s1_" + "x" * 60 + "_07"
    found = shortened(name, font, 128)
    assert font.getlength(found) <= 128
    head, tail = found.split("…")
    assert name.startswith(head)
    assert name.endswith(tail)
    assert min(len(head), len(tail)) > 5
    assert shortened("short", font, 128) == "short"


def test_a_picture_of_another_shape_keeps_it(tmp_path: Path) -> None:
    square = Sample(partial(Image.new, "RGB", (100, 100), BLUE), "square", 1, 0)
    (path,) = draw_rank_galleries(ranking().take([0]), [square], GALLERY, tmp_path, topk=1)
    with Image.open(path) as picture:
        assert pixel(picture, 20 + 64, TOP + 128) == BLUE
        assert pixel(picture, 20 + 64, TOP + 20) == EMPTY


def test_a_search_is_drawn_with_colours_only_where_people_are_known() -> None:
    unknown = sample("nobody", -1)
    picture = draw_found(QUERIES[0], [(GALLERY[0], 0.0), (GALLERY[1], 0.5), (unknown, 1.25)])
    borders = [pixel(picture, x + 2, TOP + 128) for x in (20, LEFT, LEFT + PITCH, LEFT + 2 * PITCH)]
    assert borders == [BLACK, GREEN, RED, BLACK]
    alone = draw_found(unknown, [(GALLERY[0], 0.1)])
    assert pixel(alone, LEFT + 2, TOP + 128) == BLACK
    assert draw_found(unknown, []).height == alone.height
