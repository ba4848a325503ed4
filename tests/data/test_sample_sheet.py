from pathlib import Path

import pytest
from PIL import Image

from reidctl.data.sample_sheet import GAP, LABEL, PEOPLE, TILE, draw_samples
from reidctl.errors import InputError
from reidctl.types import ReidData, Sample

RED, BLUE, PAPER = (214, 40, 40), (0, 0, 255), (235, 235, 238)


class Blue:
    def __call__(self) -> Image.Image:
        return Image.new("RGB", (30, 30), BLUE)


def _cells(path: Path, rows: int, columns: int) -> list[list[object]]:
    """The colour in the middle of each cell, counted from the right border."""
    with Image.open(path) as sheet:
        left = sheet.width - columns * (TILE[0] + GAP)
        assert sheet.height == LABEL + rows * (TILE[1] + GAP)
        return [
            [
                sheet.getpixel((left + c * (TILE[0] + GAP) + TILE[0] // 2, LABEL + r * (TILE[1] + GAP) + TILE[1] // 2))
                for c in range(columns)
            ]
            for r in range(rows)
        ]


def test_people_are_rows_and_cameras_columns(tmp_path: Path) -> None:
    data = ReidData(
        "some",
        train=(Sample(Blue(), "a", 0, 0), Sample(tmp_path / "gone.jpg", "b", 0, 7)),
        gallery=(Sample(Blue(), "c", 4, 7),),
        train_identities=(12,),
    )
    path = draw_samples(data, tmp_path / "sheet.png")
    assert _cells(path, 2, 2) == [[BLUE, RED], [PAPER, BLUE]]


def test_junk_and_distractors_are_nobody(tmp_path: Path) -> None:
    shots = tuple(Sample(Blue(), str(identity), identity, 0) for identity in (-1, 0, 5))
    data = ReidData("some", query=shots[2:], gallery=shots, distractors=frozenset({0}))
    assert _cells(draw_samples(data, tmp_path / "sheet.png"), 1, 1) == [[BLUE]]


def test_of_many_people_some_are_drawn(tmp_path: Path) -> None:
    people = tuple(Sample(Blue(), f"{n}", n, 0) for n in range(5 * PEOPLE))
    path = draw_samples(ReidData("some", train=people), tmp_path / "sheet.png")
    assert _cells(path, PEOPLE, 1) == [[BLUE]] * PEOPLE


def test_nothing_to_draw_and_no_kind_of_picture_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no images to draw"):
        draw_samples(ReidData("some"), tmp_path / "sheet.png")
    data = ReidData("some", train=(Sample(Blue(), "a", 0, 0),))
    with pytest.raises(InputError, match=r"sheet\.what: not a picture's name"):
        draw_samples(data, tmp_path / "sheet.what")
    assert list(tmp_path.iterdir()) == []
