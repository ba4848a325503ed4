"""Market-1501: the reference's records, names, and what is wrong with a folder."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from reidctl.data.problems import Problem
from reidctl.datasets.market1501 import market1501
from reidctl.errors import InputError
from reidctl.types import Sample

FIXTURE = json.loads((Path(__file__).parents[1] / "parity" / "datasets.json").read_text())
PLACE = "market1501/Market-1501-v15.09.15"


def _tree(folder: Path, files: dict[str, list[str]]) -> None:
    for part, names in files.items():
        (folder / part).mkdir(parents=True)
        for name in names:
            (folder / part / name).touch()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    _tree(tmp_path / PLACE, FIXTURE["files"]["market"] | {"images": FIXTURE["files"]["market_images"]})
    return tmp_path


def _records(samples: tuple[Sample, ...], root: Path) -> list[list[Any]]:
    return [[str(Path(str(s.image)).relative_to(root)), s.identity, s.camera] for s in samples]


@pytest.mark.parametrize(("distractors", "key"), [(False, "market1501"), (True, "market1501_500k")])
def test_records_are_those_of_the_reference(root: Path, distractors: bool, key: str) -> None:
    data, expected = market1501(distractors, root=root), FIXTURE["results"][key]
    assert _records(data.query, root) == expected["query"]
    assert _records(data.gallery, root) == expected["gallery"]
    # The reference numbers training identities in the order of a set; ours are in order of their numbers.
    found = _records(data.train, root)
    assert [(path, camera) for path, _, camera in found] == [(path, camera) for path, _, camera in expected["train"]]
    renumbered = {theirs: ours for (_, ours, _), (_, theirs, _) in zip(found, expected["train"], strict=True)}
    assert [renumbered[label] for _, label, _ in expected["train"]] == [label for _, label, _ in found]
    assert [label for _, label, _ in found] == [0, 0, 1, 1, 2]


def test_junk_is_dropped_and_distractors_are_marked(root: Path) -> None:
    data = market1501(root=root)
    assert {s.identity for s in data.gallery} == {0, 1, 3, 4}
    assert data.distractors == {0}


def test_names_are_the_files_without_suffix(root: Path) -> None:
    assert market1501(root=root).query[0].name == "0001_c1s1_001051_00"


@pytest.mark.parametrize("place", [PLACE, "market1501", "Market-1501-v15.09.15", "."])
def test_the_data_is_found_wherever_it_is_usually_unpacked(tmp_path: Path, place: str) -> None:
    _tree(tmp_path / place, FIXTURE["files"]["market"])
    assert len(market1501(root=tmp_path).train) == 5


def test_folders_above_the_files_tell_no_identity(tmp_path: Path) -> None:
    root = tmp_path / "0012_c3s1"
    _tree(root / PLACE, FIXTURE["files"]["market"])
    assert {(s.identity, s.camera) for s in market1501(root=root).query} == {(1, 0), (3, 3)}


def test_cameras_beyond_nine_and_long_identities_are_read(root: Path) -> None:
    (root / PLACE / "query" / "12345_c12s1_000001_00.jpg").touch()
    assert (12345, 11) in {(s.identity, s.camera) for s in market1501(root=root).query}


@pytest.mark.parametrize("name", ["portrait.jpg", "0001-c1.jpg", "0001_c0s1_1.jpg", "-2_c1s1_1.jpg", "_c1.jpg"])
def test_a_name_that_does_not_parse_is_an_error(root: Path, name: str) -> None:
    (root / PLACE / "query" / name).touch()
    with pytest.raises(InputError, match=f"query/{name}"):
        market1501(root=root)


def test_names_that_do_not_parse_may_be_collected(root: Path) -> None:
    for name in ("portrait.jpg", "0001-c1.jpg"):
        (root / PLACE / "query" / name).touch()
    whole, problems = market1501(root=root, report=lambda _: None), list[Problem]()
    assert market1501(root=root, report=problems.append) == whole
    assert [(p.kind, Path(p.where).name) for p in problems] == [
        ("misnamed", "0001-c1.jpg"),
        ("misnamed", "portrait.jpg"),
    ]
    assert {s.name for s in whole.query}.isdisjoint({"portrait", "0001-c1"})


def test_training_labels_tell_their_identities(root: Path) -> None:
    data = market1501(root=root)
    assert {(int(s.name[:4]), data.train_identities[s.identity]) for s in data.train} == {
        (number, number) for number in data.train_identities
    }


def test_an_unreadable_folder_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whoever runs the tests may be root, whom no permission stops: the system's answer is made up.
    def refuse(path: Path) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(InputError, match=r"bounding_box_train cannot be read: Permission denied"):
        market1501(root=root)


def test_an_unreadable_root_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As above.
    def refuse(path: Path) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError) as caught:
        market1501(root=tmp_path)
    assert caught.value.hint == f"{tmp_path} cannot be read: Permission denied"


def test_a_missing_data_set_says_where_it_was_looked_for_and_what_is_near(tmp_path: Path) -> None:
    (tmp_path / "market-1501").mkdir()
    with pytest.raises(InputError, match=f"{PLACE} with bounding_box_train, query, bounding_box_test") as caught:
        market1501(root=tmp_path)
    assert caught.value.hint == f"there is {tmp_path / 'market-1501'}; rename it to 'market1501' or give another --root"


def test_a_root_that_is_no_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        market1501(root=tmp_path / "nowhere")
    assert "nowhere is no folder" in str(caught.value.hint)


def test_a_root_without_the_data_set_lists_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(InputError) as caught:
        market1501(root=tmp_path)
    assert "photos" in str(caught.value.hint)


def test_a_missing_part_is_named(root: Path) -> None:
    (root / PLACE / "query").rename(root / "elsewhere")
    with pytest.raises(InputError, match="has bounding_box_train and bounding_box_test but no query"):
        market1501(root=root)


def test_a_missing_distractor_folder_is_named(tmp_path: Path) -> None:
    _tree(tmp_path / PLACE, FIXTURE["files"]["market"])
    with pytest.raises(InputError, match="but no images"):
        market1501(True, root=tmp_path)


def test_an_empty_part_is_named(root: Path) -> None:
    for path in (root / PLACE / "query").iterdir():
        path.unlink()
    with pytest.raises(InputError, match=r"query holds no \.jpg files"):
        market1501(root=root)


def test_the_real_subset_is_read_as_its_readme_counts_it(real_data: Path) -> None:
    data = market1501(root=real_data / "data")
    assert (len(data.train), data.num_identities) == (6452, 400)
    assert (len(data.query), len(data.gallery)) == (435, 1507)
    assert len({s.identity for s in data.query}) == 100
    assert {s.camera for s in (*data.train, *data.query, *data.gallery)} == set(range(6))
