"""MSMT17: the reference's records in both versions, and what is wrong with a list."""

import json
from pathlib import Path
from typing import Any

import pytest

from reidctl.data.problems import Problem
from reidctl.datasets.msmt17 import msmt17
from reidctl.errors import InputError
from reidctl.types import Sample

FIXTURE = json.loads((Path(__file__).parents[1] / "parity" / "datasets.json").read_text())
LISTS = FIXTURE["files"]["msmt_lists"]


def _tree(folder: Path, parts: tuple[str, str] = ("mask_train_v2", "mask_test_v2")) -> Path:
    for part in parts:
        (folder / part).mkdir(parents=True)
    for name, lines in LISTS.items():
        (folder / name).write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return _tree(tmp_path / "msmt17" / "MSMT17_V2")


def _records(samples: tuple[Sample, ...], root: Path) -> list[list[Any]]:
    return [[str(Path(str(s.image)).relative_to(root)), s.identity, s.camera] for s in samples]


def test_records_are_those_of_the_reference(tmp_path: Path, folder: Path) -> None:
    data, expected = msmt17(root=tmp_path), FIXTURE["results"]["msmt17"]
    for part in ("train", "query", "gallery"):
        assert _records(getattr(data, part), tmp_path) == expected[part]
    assert data.distractors == frozenset()


def test_the_validation_list_is_trained_on_when_asked_for(tmp_path: Path, folder: Path) -> None:
    expected = FIXTURE["results"]["msmt17_combineall"]["train"]
    assert _records(msmt17(True, root=tmp_path).train, tmp_path) == expected[:5]


def test_version_1_comes_first_and_has_its_own_folders(tmp_path: Path, folder: Path) -> None:
    _tree(tmp_path / "msmt17" / "MSMT17_V1", ("train", "test"))
    data = msmt17(root=tmp_path)
    assert Path(str(data.train[0].image)).relative_to(tmp_path).parts[:3] == ("msmt17", "MSMT17_V1", "train")
    assert Path(str(data.query[0].image)).relative_to(tmp_path).parts[:3] == ("msmt17", "MSMT17_V1", "test")


@pytest.mark.parametrize("place", ["msmt17/MSMT17_V1", "MSMT17_V2", "msmt17", "."])
def test_the_data_is_found_wherever_it_is_usually_unpacked(tmp_path: Path, place: str) -> None:
    _tree(tmp_path / place)
    assert len(msmt17(root=tmp_path).gallery) == 3


def test_training_identities_with_gaps_are_numbered_anew(tmp_path: Path, folder: Path) -> None:
    lines = ["0007/0007_000_01_x_0.jpg 7", "0003/0003_000_02_x_0.jpg 3"]
    (folder / "list_train.txt").write_text("\n".join(lines))
    assert [(s.name, s.identity) for s in msmt17(root=tmp_path).train] == [
        ("0007_000_01_x_0", 1),
        ("0003_000_02_x_0", 0),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "0000/0000_000_01_x_0.jpg",
        "0000/0000_000_01_x_0.jpg -1",
        "0000/0000.jpg 0",
        "0000/0000_000_zz_x.jpg 0",
        "0000_000_00_x.jpg 0",
    ],
)
def test_a_line_that_does_not_parse_is_an_error_with_its_number(tmp_path: Path, folder: Path, line: str) -> None:
    (folder / "list_query.txt").write_text(f"{LISTS['list_query.txt'][0]}\n{line}\n")
    with pytest.raises(InputError, match=r"list_query\.txt, line 2"):
        msmt17(root=tmp_path)


def test_lines_that_do_not_parse_may_be_collected(tmp_path: Path, folder: Path) -> None:
    (folder / "list_query.txt").write_text(f"what is this\n{LISTS['list_query.txt'][0]}\n")
    problems: list[Problem] = []
    assert len(msmt17(root=tmp_path, report=problems.append).query) == 1
    assert [(p.kind, p.where) for p in problems] == [("misnamed", f"{folder / 'list_query.txt'}, line 1")]


@pytest.mark.parametrize(
    ("name", "again", "first"),
    [
        ("list_train.txt", "0000/0000_000_01_0303morning_0015_0.jpg 0", "list_train.txt, line 1,"),
        ("list_val.txt", "0001/0001_000_02_0303morning_0029_0.jpg 1", "list_train.txt, line 3,"),
        ("list_query.txt", "0002/0002_000_06_0303morning_0015_0.jpg 0", "list_query.txt, line 2,"),
    ],
)
def test_an_image_that_is_listed_again_is_told_and_taken_once(
    tmp_path: Path, folder: Path, name: str, again: str, first: str
) -> None:
    whole, problems = msmt17(True, root=tmp_path), list[Problem]()
    with (folder / name).open("a") as file:
        file.write(f"{again}\n")
    assert msmt17(True, root=tmp_path, report=problems.append) == whole
    assert [(p.kind, p.where) for p in problems] == [("duplicate", f"{folder / name}, line {len(LISTS[name]) + 1}")]
    assert problems[0].what == f"'{again.split()[0]}' stands in {first} already"
    with pytest.raises(InputError, match=r"stands in list_\w+\.txt, line \d, already"):
        msmt17(True, root=tmp_path)


def test_an_image_may_be_query_and_gallery(tmp_path: Path, folder: Path) -> None:
    (folder / "list_gallery.txt").write_text("\n".join(LISTS["list_gallery.txt"] + LISTS["list_query.txt"]))
    assert len(msmt17(root=tmp_path).gallery) == 5


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path, folder: Path) -> None:
    before = msmt17(root=tmp_path)
    for name in LISTS:
        (folder / name).write_bytes(b"\xef\xbb\xbf" + (folder / name).read_bytes().replace(b"\n", b"\r\n"))
    assert msmt17(root=tmp_path) == before


@pytest.mark.parametrize("name", ["list_train.txt", "list_query.txt", "list_gallery.txt"])
def test_a_missing_or_empty_list_is_named(tmp_path: Path, folder: Path, name: str) -> None:
    (folder / name).write_text("")
    with pytest.raises(InputError, match=f"{name} is empty"):
        msmt17(root=tmp_path)
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"no {name}"):
        msmt17(root=tmp_path)


def test_a_missing_validation_list_matters_only_when_asked_for(tmp_path: Path, folder: Path) -> None:
    (folder / "list_val.txt").unlink()
    msmt17(root=tmp_path)
    with pytest.raises(InputError, match=r"list_val\.txt cannot be read"):
        msmt17(True, root=tmp_path)


def test_lists_without_images_are_an_error(tmp_path: Path, folder: Path) -> None:
    (folder / "mask_train_v2").rmdir()
    with pytest.raises(InputError, match="neither train and test nor mask_train_v2 and mask_test_v2"):
        msmt17(root=tmp_path)


def test_a_missing_data_set_says_what_is_near(tmp_path: Path) -> None:
    (tmp_path / "MSMT-17").mkdir()
    with pytest.raises(InputError, match="msmt17/MSMT17_V1 with list_train") as caught:
        msmt17(root=tmp_path)
    assert str(tmp_path / "MSMT-17") in str(caught.value.hint)
