"""`folder`: a folder a person, cameras told by a pattern."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from reidctl.data.problems import Problem
from reidctl.datasets.folder import folder
from reidctl.errors import ConfigError, InputError
from reidctl.registry import datasets
from reidctl.testing import check_dataset
from reidctl.types import ReidData, Sample, Spec


def _tree(base: Path, *paths: str) -> Path:
    for path in paths:
        (base / path).parent.mkdir(parents=True, exist_ok=True)
        if Path(path).suffix.lower() in Image.registered_extensions():
            Image.new("RGB", (1, 1)).save(base / path)
        else:
            (base / path).touch()
    return base


def _read(root: Path, **parameters: Any) -> ReidData:
    found = datasets.build(Spec(name="folder", **parameters), root=root)
    assert isinstance(found, ReidData)
    return found


def _shown(samples: tuple[Sample, ...]) -> list[tuple[str, int, int]]:
    return [(sample.name, sample.identity, sample.camera) for sample in samples]


PARTED = (
    "train/bob/cam2_1.jpg",
    "train/bob/cam10_1.PNG",
    "train/ann/cam2_7.jpg",
    "query/eve/cam2_1.jpg",
    "gallery/eve/cam10_2.webp",
    "gallery/10/cam10_3.jpg",
)


def test_people_and_cameras_are_numbered_in_the_order_of_their_names(tmp_path: Path) -> None:
    data = _read(_tree(tmp_path, *PARTED))
    # Identities in order: 10, ann, bob, eve; cameras: 2, 10.
    assert _shown(data.train) == [
        ("train__ann__cam2_7", 0, 0),
        ("train__bob__cam2_1", 1, 0),
        ("train__bob__cam10_1", 1, 1),
    ]
    assert data.train_identities == (1, 2)
    assert _shown(data.query) == [("query__eve__cam2_1", 3, 0)]
    assert _shown(data.gallery) == [("gallery__10__cam10_3", 0, 1), ("gallery__eve__cam10_2", 3, 1)]
    check_dataset(data)


def test_a_person_trained_and_tested_on_has_one_number(tmp_path: Path) -> None:
    data = _read(_tree(tmp_path, *PARTED, "train/eve/cam2_9.jpg"))
    assert set(data.train_identities) & {sample.identity for sample in data.query} == {3}


@pytest.mark.parametrize(
    ("name", "camera"),
    [("0001_c3s1_000451_03.jpg", "3"), ("cam-4.jpg", "4"), ("2024_Camera_05_x.jpg", "05"), ("C6/x.jpg", "6")],
)
def test_usual_names_tell_the_camera_without_a_pattern(tmp_path: Path, name: str, camera: str) -> None:
    problems: list[Problem] = []
    _tree(tmp_path, f"ann/{name}", f"eve/c{camera}.jpg", "eve/c99.jpg", "ann/abc1.jpg")
    data = folder(train_fraction=1.0, root=tmp_path, report=problems.append)
    cameras = {sample.image: sample.camera for sample in data.train}
    assert cameras == {tmp_path / "ann" / name: 0, tmp_path / f"eve/c{camera}.jpg": 0, tmp_path / "eve/c99.jpg": 1}
    assert [problem.where for problem in problems] == [str(tmp_path / "ann" / "abc1.jpg")]


@pytest.mark.parametrize(
    ("pattern", "cameras"),
    [
        ("{camera}_*", {"door_1.jpg": 0, "door_2.jpg": 0, "hall_1.jpg": 1}),
        ("*_{camera}.jpg", {"1_door.jpg": 0, "2_door.jpg": 0, "1_hall.jpg": 1}),
        ("{camera}/*", {"door/1.jpg": 0, "door/2.jpg": 0, "hall/1.jpg": 1}),
        ("frame{camera}.v1.jpg", {"frame9.v1.jpg": 0, "frame10.v1.jpg": 1}),
        (r"^(?P<camera>[a-z]+)\d", {"door1.jpg": 0, "hall2.jpg": 1}),
    ],
)
def test_a_pattern_says_where_the_camera_stands(tmp_path: Path, pattern: str, cameras: dict[str, int]) -> None:
    _tree(tmp_path, *(f"ann/{name}" for name in cameras))
    data = _read(tmp_path, camera=pattern, train_fraction=1.0)
    found = {str(Path(str(s.image)).relative_to(tmp_path / "ann")): s.camera for s in data.train}
    assert found == cameras


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(?P<camera>[", "no regular expression"),
        ("cam_*.jpg", "does not say where the camera stands"),
        ("{camera}_{camera}", "more than once"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_explained(tmp_path: Path, pattern: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        _read(_tree(tmp_path, "ann/c1.jpg"), camera=pattern)


def test_without_folders_of_parts_people_are_drawn_by_lot(tmp_path: Path) -> None:
    _tree(tmp_path, *(f"p{person}/c{camera}_{n}.jpg" for person in range(40) for camera in (1, 2) for n in range(3)))
    data, again, other = _read(tmp_path), _read(tmp_path), _read(tmp_path, seed=1)
    assert data == again
    assert data.num_identities == 20
    assert {s.image for s in data.train} != {s.image for s in other.train}
    assert set(data.train_identities).isdisjoint(s.identity for s in data.gallery)
    assert Counter((s.identity, s.camera) for s in data.query) == {(s.identity, s.camera): 1 for s in data.gallery}
    assert len(data.train) + len(data.query) + len(data.gallery) == 240
    check_dataset(data)


def test_the_share_to_train_on_is_kept_and_nobody_changes_sides_for_another_persons_sake(tmp_path: Path) -> None:
    _tree(tmp_path, *(f"p{person}/c{camera}_{n}.jpg" for person in range(30) for camera in (1, 2) for n in range(2)))

    def trained(share: float) -> set[str]:
        return {Path(str(s.image)).parent.name for s in _read(tmp_path, train_fraction=share).train}

    assert [len(trained(share)) for share in (0.0, 0.25, 0.5, 1.0)] == [0, 8, 15, 30]
    assert trained(0.25) < trained(0.5)


def test_an_only_image_of_a_camera_stays_in_the_gallery(tmp_path: Path) -> None:
    """By hand: ann's door has two images; bob's cameras have one each, so that his first asks for his second."""
    _tree(tmp_path, "test/ann/c1_1.jpg", "test/ann/c1_2.jpg", "test/ann/c2_1.jpg", "test/bob/c1_1.jpg")
    _tree(tmp_path, "test/bob/c2_1.jpg", "train/eve/c1_1.jpg")
    data = _read(tmp_path)
    assert [sample.name for sample in data.query] == ["test__ann__c1_1", "test__bob__c1_1"]
    assert [sample.name for sample in data.gallery] == ["test__ann__c1_2", "test__ann__c2_1", "test__bob__c2_1"]


def test_names_beyond_ascii_and_below_other_folders_are_read(tmp_path: Path) -> None:
    data = _read(_tree(tmp_path, "crops/Zoë/c1_å.jpg", "crops/李/c2.jpg"), path="crops", train_fraction=1.0)
    assert _shown(data.train) == [("Zoë__c1_å", 0, 0), ("李__c2", 1, 1)]


def test_two_files_that_differ_in_their_suffix_have_two_names(tmp_path: Path) -> None:
    data = _read(_tree(tmp_path, "ann/c1.jpg", "ann/c1.png"), train_fraction=1.0)
    assert [sample.name for sample in data.train] == ["ann__c1", "ann__c1-2"]


def test_other_files_are_passed_over(tmp_path: Path) -> None:
    _tree(tmp_path, "ann/c1.jpg", "ann/notes.txt", "ann/.c2.jpg", ".git/c3.jpg", "README.md", "ann/Thumbs.db")
    assert [sample.name for sample in _read(tmp_path, train_fraction=1.0).train] == ["ann__c1"]


def test_an_image_outside_of_a_persons_folder_is_misnamed(tmp_path: Path) -> None:
    problems: list[Problem] = []
    folder(root=_tree(tmp_path, "ann/c1.jpg", "c2.jpg"), report=problems.append)
    assert [(problem.kind, problem.where) for problem in problems] == [("misnamed", str(tmp_path / "c2.jpg"))]
    with pytest.raises(InputError, match=r"c2\.jpg: lies in no person's folder"):
        _read(tmp_path)


def test_where_no_name_tells_a_camera_the_pattern_is_blamed(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"no usable images.*'1\.jpg' tells no camera as c1, cam1 or camera_1 do"
    ) as caught:
        _read(_tree(tmp_path, "ann/1.jpg", "ann/2.jpg"))
    assert "{camera}" in str(caught.value.hint)


def test_a_folder_without_images_and_a_missing_one_are_named(tmp_path: Path) -> None:
    (tmp_path / "crops").mkdir()
    with pytest.raises(InputError, match="crops holds no usable images"):
        _read(tmp_path, path="crops")
    with pytest.raises(InputError, match=r"no folder .*crop$") as caught:
        _read(tmp_path, path="crop")
    assert "crops" in str(caught.value.hint)


def test_junk_is_left_out(tmp_path: Path) -> None:
    data = _read(_tree(tmp_path, "-1/c1.jpg", "7/c1.jpg"), train_fraction=1.0)
    assert _shown(data.train) == [("7__c1", 0, 0)]


def test_linked_folders_are_followed_and_loops_are_named(tmp_path: Path) -> None:
    _tree(tmp_path, "store/c1.jpg")
    (tmp_path / "people").mkdir()
    (tmp_path / "people" / "ann").symlink_to(tmp_path / "store", target_is_directory=True)
    assert len(_read(tmp_path, path="people", train_fraction=1.0).train) == 1
    (tmp_path / "store" / "again").symlink_to(tmp_path / "people", target_is_directory=True)
    with pytest.raises(InputError, match="a link to a folder above it"):
        _read(tmp_path, path="people")


def test_an_unreadable_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whoever runs the tests may be root, whom no permission stops: the system's answer is made up.
    _tree(tmp_path, "ann/c1.jpg", "bob/c1.jpg")
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if Path(path).name == "bob":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match="bob cannot be read: Permission denied"):
        _read(tmp_path)


def test_its_images_open(tmp_path: Path) -> None:
    for camera in (1, 2):
        for number in range(2):
            path = tmp_path / "test" / "ann" / f"c{camera}_{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 16)).save(path)
    check_dataset(_read(tmp_path))
