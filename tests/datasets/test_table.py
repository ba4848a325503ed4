"""`csv`: a table of paths, identities and cameras under any names."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from reidctl.data.problems import Problem
from reidctl.datasets.table import csv
from reidctl.errors import ConfigError, InputError
from reidctl.registry import datasets
from reidctl.testing import check_dataset
from reidctl.types import ReidData, Sample, Spec

LINES = (
    "path,identity,camera,split",
    "a/1.jpg,ann,door,train",
    "a/2.jpg,ann,hall,train",
    "b/1.jpg,bob,door,query",
    "b/2.jpg,bob,hall,gallery",
    "c/1.jpg,-1,hall,gallery",
)


def _table(root: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path = root / "crops" / "list.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes("\n".join(lines).encode(encoding))
    return path


def _read(root: Path, **parameters: Any) -> ReidData:
    found = datasets.build(Spec(name="csv", file="crops/list.csv", **parameters), root=root)
    assert isinstance(found, ReidData)
    return found


def _shown(samples: tuple[Sample, ...]) -> list[tuple[str, int, int]]:
    return [(sample.name, sample.identity, sample.camera) for sample in samples]


def _is_that_of_lines(data: ReidData, root: Path) -> None:
    assert _shown(data.train) == [("a__1", 0, 0), ("a__2", 0, 1)]
    assert _shown(data.query) == [("b__1", 1, 0)]
    assert _shown(data.gallery) == [("b__2", 1, 1)]
    assert data.train_identities == (0,)
    assert data.train[0].image == root / "crops" / "a" / "1.jpg"


def test_a_table_becomes_a_data_set(tmp_path: Path) -> None:
    _table(tmp_path, *LINES)
    data = _read(tmp_path)
    _is_that_of_lines(data, tmp_path)
    for sample in (*data.train, *data.query, *data.gallery):
        assert isinstance(sample.image, Path)
        sample.image.parent.mkdir(exist_ok=True)
        Image.new("RGB", (1, 1)).save(sample.image)
    check_dataset(data)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path, encoding: str) -> None:
    assert _table(tmp_path, *LINES, encoding=encoding).read_bytes()[:2] in (b"\xef\xbb", b"\xff\xfe")
    _is_that_of_lines(_read(tmp_path), tmp_path)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends_are_told(tmp_path: Path, delimiter: str, ending: str) -> None:
    path = _table(tmp_path)
    path.write_bytes(ending.join([*LINES, ""]).replace(",", delimiter).encode())
    _is_that_of_lines(_read(tmp_path), tmp_path)


def test_columns_may_have_any_names_and_order(tmp_path: Path) -> None:
    rows = [line.split(",") for line in LINES[1:]]
    lines = [f"{camera};0.9;{identity};{split.upper()};{path}" for path, identity, camera, split in rows]
    _table(tmp_path, "cam;score, or not;person id;set;file", *lines)
    columns = {"path": "file", "identity": "person id", "camera": "cam", "split": "set"}
    _is_that_of_lines(_read(tmp_path, columns=columns), tmp_path)


def test_quoted_cells_may_hold_the_delimiter(tmp_path: Path) -> None:
    _table(tmp_path, LINES[0], '"a/1, left.jpg","Doe, ""J""",door,train', '"b.jpg",x,door,train')
    assert [sample.name for sample in _read(tmp_path).train] == ["a__1, left", "b"]


def test_without_a_split_people_are_drawn_by_lot(tmp_path: Path) -> None:
    lines = [f"{p}/{c}_{n}.jpg,{p},{c}" for p in range(10) for c in "xy" for n in range(2)]
    _table(tmp_path, "path,identity,camera", *lines)
    data = _read(tmp_path)
    assert (data.num_identities, len(data.query), len(data.gallery)) == (5, 10, 10)
    assert set(data.train_identities).isdisjoint(s.identity for s in data.gallery)
    assert _read(tmp_path, seed=3).train != data.train


def test_the_order_of_the_lines_does_not_matter(tmp_path: Path) -> None:
    _table(tmp_path, LINES[0], *reversed(LINES[1:]))
    _is_that_of_lines(_read(tmp_path), tmp_path)


def test_paths_outside_of_the_tables_folder_are_read(tmp_path: Path) -> None:
    _table(tmp_path, "path,identity,camera,split", f"../x/1.jpg,a,1,train\n{tmp_path}/y/2.jpg,a,1,train")
    images = {sample.name: Path(str(sample.image)) for sample in _read(tmp_path).train}
    assert images["x__1"] == tmp_path / "crops" / ".." / "x" / "1.jpg"
    assert tmp_path / "y" / "2.jpg" in images.values()
    assert not any("/" in name or ".." in name for name in images)


@pytest.mark.parametrize(
    ("header", "column", "hint"),
    [
        ("path,identity,kamera,split", "camera", "columns: {camera: kamera}"),
        ("path,identity,where,split", "camera", "name it: columns: {camera: …}"),
        ("path,Identity,camera,split", "identity", "columns: {identity: Identity}"),
        ("path,identity,camera,Splits", "split", "columns: {split: Splits}"),
    ],
)
def test_a_missing_column_names_what_is_near(tmp_path: Path, header: str, column: str, hint: str) -> None:
    _table(tmp_path, header, *LINES[1:])
    with pytest.raises(InputError, match=f"no column '{column}'.*it has {header.replace(',', ', ')}") as caught:
        _read(tmp_path)
    assert hint in str(caught.value.hint)


def test_a_column_named_for_the_split_must_be_there(tmp_path: Path) -> None:
    _table(tmp_path, *LINES)
    with pytest.raises(InputError, match="no column 'usage' for the split"):
        _read(tmp_path, columns={"split": "usage"})


def test_a_mistyped_key_below_columns_is_explained(tmp_path: Path) -> None:
    _table(tmp_path, *LINES)
    with pytest.raises(ConfigError, match=r"columns\.cam.*no such key"):
        _read(tmp_path, columns={"cam": "x"})


@pytest.mark.parametrize(
    ("line", "kind", "words"),
    [
        ("a/1.jpg,ann,door,train", "duplicate", "'a/1.jpg' stands in line 2 already"),
        ("a/1.jpg,bob,hall,train", "duplicate", "'a/1.jpg' stands in line 2 already"),
        ("d.jpg,ann,door", "bad line", "3 cells, but 4 columns"),
        ("d.jpg,ann,door,train,x", "bad line", "5 cells, but 4 columns"),
        ("d.jpg,,door,train", "bad line", "the identity is empty"),
        ("d.jpg,ann, ,train", "bad line", "the camera is empty"),
        (",ann,door,train", "bad line", "the path is empty"),
        (".,ann,door,train", "bad line", "the path '.' names no file"),
        ("/,ann,door,train", "bad line", "the path '/' names no file"),
        ("d.jpg,ann,door,tran", "bad line", "no split 'tran'"),
        ("d.jpg,ann,door,", "bad line", "no split ''"),
        ("d\0.jpg,ann,door,train", "bad line", "zero byte"),
    ],
)
def test_a_bad_line_is_told_by_its_number_and_left_out(tmp_path: Path, line: str, kind: str, words: str) -> None:
    path = _table(tmp_path, *LINES, "", line)
    problems: list[Problem] = []
    _is_that_of_lines(csv("crops/list.csv", root=tmp_path, report=problems.append), tmp_path)
    assert [(problem.kind, problem.where) for problem in problems] == [(kind, f"{path}, line {len(LINES) + 2}")]
    assert words in problems[0].what
    with pytest.raises(InputError, match=f"line {len(LINES) + 2}"):
        _read(tmp_path)


def test_one_image_may_be_query_and_gallery(tmp_path: Path) -> None:
    _table(tmp_path, *LINES, "b/1.jpg,bob,door,gallery")
    assert len(_read(tmp_path).gallery) == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"path,identity,camera,split\n", "names no usable images"),
        (b"path,identity,camera,split\n\xff\xfe,a,b,train", "is no utf-8 text: byte 27"),
        (b'path,identity,camera,split\n"a.jpg,a,b,train', "unexpected end of data"),
        (b"path,path,identity,camera,split\n", "more than one column 'path'"),
        (b"path,identity,camera,split\na.jpg,-1,b,train", "no images of anybody"),
        (b"path,identity,camera,split\na.jpg,,b,train", r"no usable images.*line 2: the identity is empty"),
    ],
)
def test_a_table_that_cannot_be_used_is_explained(tmp_path: Path, content: bytes, words: str) -> None:
    _table(tmp_path).write_bytes(content)
    with pytest.raises(InputError, match=words):
        _read(tmp_path)


def test_a_missing_table_names_what_is_near(tmp_path: Path) -> None:
    _table(tmp_path, *LINES).rename(tmp_path / "crops" / "lists.csv")
    with pytest.raises(InputError, match=r"no table .*list\.csv") as caught:
        _read(tmp_path)
    assert caught.value.hint == "there is lists.csv"
    with pytest.raises(InputError) as caught:
        _read(tmp_path / "nowhere")
    assert "is no folder" in str(caught.value.hint)


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "crops" / "list.csv").mkdir(parents=True)
    with pytest.raises(InputError, match="cannot be read"):
        _read(tmp_path)


@given(
    rows=st.lists(
        st.tuples(st.text(min_size=1, max_size=4), st.text(min_size=1, max_size=3), st.sampled_from(["", "test"])),
        min_size=1,
        max_size=12,
    )
)
def test_any_text_may_be_an_identity_or_a_camera(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]]
) -> None:
    """Each text of identities has one number and each of cameras another, and nobody is trained and tested on."""
    import csv as standard

    root = tmp_path_factory.mktemp("table")
    (root / "crops").mkdir()
    texts = [
        (identity.strip(), camera.strip()) if identity.isprintable() and camera.isprintable() else ("a", "b")
        for identity, camera, _ in rows
    ]
    texts = [(identity or "a", camera or "b") for identity, camera in texts if identity != "-1"] or [("a", "b")]
    with (root / "crops" / "list.csv").open("w", newline="", encoding="utf-8") as file:
        writer = standard.writer(file)
        writer.writerow(["path", "identity", "camera"])
        writer.writerows([f"{n}.jpg", *pair] for n, pair in enumerate(texts))
    data = _read(root)
    pairs = {int(s.name): data.train_identities[s.identity] for s in data.train}
    pairs |= {int(s.name): s.identity for s in (*data.query, *data.gallery)}
    cameras = {int(s.name): s.camera for s in (*data.train, *data.query, *data.gallery)}
    assert sorted(pairs) == list(range(len(texts)))
    assert len({(texts[n][0], number) for n, number in pairs.items()}) == len({identity for identity, _ in texts})
    assert len(set(pairs.values())) == len({identity for identity, _ in texts})
    assert len({(texts[n][1], number) for n, number in cameras.items()}) == len(set(cameras.values()))
    assert set(data.train_identities).isdisjoint(s.identity for s in (*data.query, *data.gallery))
