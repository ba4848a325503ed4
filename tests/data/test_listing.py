from pathlib import Path

import pytest

from reidctl.data.listing import listed_images
from reidctl.errors import InputError


def test_a_folder_is_read_with_those_below_it_by_path(tmp_path: Path) -> None:
    for name in ("b.jpg", "a/c.PNG", "a/notes.txt", "a/d.jpeg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [sample.name for sample in listed_images(tmp_path)] == ["a__c", "a__d", "b"]
    assert {(sample.identity, sample.camera) for sample in listed_images(tmp_path)} == {(-1, 0)}


def test_images_that_differ_in_suffix_or_folder_alone_have_names_of_their_own(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png", "b/c.jpg", "b__c.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [sample.name for sample in listed_images(tmp_path)] == ["a", "a-2", "b__c", "b__c-2"]


def test_a_list_counts_from_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("x/1.jpg\n\n 2.jpg \n")
    assert [sample.image for sample in listed_images(tmp_path / "list.txt")] == [
        tmp_path / "x/1.jpg",
        tmp_path / "2.jpg",
    ]


def test_a_byte_order_mark_is_no_part_of_the_first_path(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("1.jpg\n2.jpg\n", encoding="utf-8-sig")
    assert [sample.name for sample in listed_images(tmp_path / "list.txt")] == ["1", "2"]


@pytest.mark.parametrize("line", [".", "/", "{folder}"])
def test_a_line_of_a_list_that_names_no_file_is_told_by_its_number(tmp_path: Path, line: str) -> None:
    (tmp_path / "list.txt").write_text(f"1.jpg\n\n{line.format(folder=tmp_path)}\n")
    with pytest.raises(InputError, match=r"list\.txt, line 3: .* names no file"):
        listed_images(tmp_path / "list.txt")


def test_one_image_is_a_list_of_one(tmp_path: Path) -> None:
    assert [sample.name for sample in listed_images(tmp_path / "me.jpg")] == ["me"]


def test_a_folder_without_images_and_a_missing_list_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no images"):
        listed_images(tmp_path)
    with pytest.raises(InputError, match="No such file"):
        listed_images(tmp_path / "list.txt")


def test_bytes_that_are_no_text_are_no_list(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="neither an image nor a text file"):
        listed_images(tmp_path / "list")


def test_every_usual_kind_of_image_is_taken(tmp_path: Path) -> None:
    for suffix in (".bmp", ".gif", ".jpeg", ".JPG", ".png", ".tif", ".tiff", ".webp", ".txt", ".mp4"):
        (tmp_path / f"a{suffix}").touch()
    assert len(listed_images(tmp_path)) == 8
