"""CUHK03 out of its MATLAB files."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from scipy.io import savemat

import reidctl
from reidctl.errors import InputError
from reidctl.types import Sample
from reidctl_datasets.cuhk03_file import Crop, Place

Stored = Callable[[str, int, int, int], np.ndarray[Any, Any] | None]
Writers = dict[str, Callable[[Path], None]]


def _pixels(sample: Sample) -> np.ndarray[Any, Any]:
    assert callable(sample.image)
    return np.asarray(sample.image())


def test_the_new_protocol_is_that_of_its_lists(all_sets: Path) -> None:
    data = reidctl.load_dataset("cuhk03", all_sets)
    assert [(s.name, s.identity, s.camera) for s in data.train] == [
        ("1_001_1_01", 0, 0),
        ("1_001_1_02", 0, 0),
        ("1_001_2_06", 0, 1),
    ]
    assert data.train_identities == (1001,)
    assert [(s.name, s.identity, s.camera) for s in data.query] == [("1_002_1_01", 1002, 0), ("1_003_1_01", 1003, 0)]
    assert [s.name for s in data.gallery] == ["1_002_1_02", "1_002_2_06", "1_003_1_02", "1_003_2_06"]


@pytest.mark.parametrize("boxes", ["detected", "labeled"])
def test_an_image_is_what_is_stored_under_its_name(boxes: str, all_sets: Path, stored_image: Stored) -> None:
    data = reidctl.load_dataset("cuhk03", all_sets, boxes=boxes)
    samples = (*data.train, *data.query, *data.gallery)
    assert len(samples) == 9
    for sample in samples:
        pair, person, _, number = (int(field) for field in sample.name.split("_"))
        expected = stored_image(boxes, pair, person, number)
        assert expected is not None
        assert expected.shape == (30, 10 + number, 3)
        assert np.array_equal(_pixels(sample), expected)


def test_the_classic_protocol_searches_its_people_among_each_other(all_sets: Path) -> None:
    data = reidctl.load_dataset("cuhk03", all_sets, protocol="classic", boxes="labeled")
    assert {s.identity for s in data.query} == {1002, 3001}
    assert data.query == data.gallery
    assert len(data.query) == 20
    assert data.train_identities == (1001, 1003, 2001, 2002, 4001, 5001)
    assert len(data.train) == 60
    other = reidctl.load_dataset("cuhk03", all_sets, protocol="classic", boxes="labeled", split=1)
    assert {s.identity for s in other.query} == {1001}


def test_images_that_were_not_detected_are_not_there(all_sets: Path) -> None:
    data = reidctl.load_dataset("cuhk03", all_sets, protocol="classic")
    assert len(data.train) == 58
    third = [s.name for s in data.train if data.train_identities[s.identity] == 1003]
    assert third == [f"1_003_{1 if n <= 5 else 2}_{n:02}" for n in (1, 2, 3, 4, 6, 7, 8, 9)]


def test_a_split_that_the_file_does_not_have_is_an_error(all_sets: Path) -> None:
    with pytest.raises(InputError, match=r"cuhk-03.mat has 2 splits"):
        reidctl.load_dataset("cuhk03", all_sets, protocol="classic", split=2)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_images_are_drawn_in_other_processes(method: str, all_sets: Path) -> None:
    data = reidctl.load_dataset("cuhk03", all_sets)
    here = [_pixels(sample) for sample in data.gallery]
    with get_context(method).Pool(2) as pool:
        there = pool.map(_pixels, data.gallery, chunksize=1)
    assert all(np.array_equal(one, other) for one, other in zip(here, there, strict=True))


def test_a_sample_can_be_pickled_and_compared(all_sets: Path) -> None:
    sample = reidctl.load_dataset("cuhk03", all_sets).train[0]
    assert pickle.loads(pickle.dumps(sample)) == sample


@pytest.mark.parametrize("place", [Place(1, 3, 5), Place(6, 1, 1), Place(1, 9, 1), Place(1, 1, 0), Place(1, 1, 11)])
def test_an_image_that_is_not_stored_is_an_error(place: Place, all_sets: Path) -> None:
    crop = Crop(all_sets / "cuhk03" / "cuhk03_release" / "cuhk-03.mat", "detected", place)
    with pytest.raises(InputError, match=f"has no image {place} among 'detected'"):
        crop()


def test_the_file_may_lie_beside_the_lists(layouts: Writers, tmp_path: Path) -> None:
    layouts["cuhk03"](tmp_path)
    folder = tmp_path / "cuhk03"
    (folder / "cuhk03_release" / "cuhk-03.mat").rename(folder / "cuhk-03.mat")
    assert len(reidctl.load_dataset("cuhk03", tmp_path).train) == 3
    assert len(reidctl.load_dataset("cuhk03", tmp_path, protocol="classic").query) == 20
    (folder / "cuhk-03.mat").unlink()
    with pytest.raises(InputError, match=r"has no cuhk03_release/cuhk-03.mat and no cuhk-03.mat"):
        reidctl.load_dataset("cuhk03", tmp_path)
    with pytest.raises(InputError, match=r"no .*/cuhk03 with cuhk03_release/cuhk-03.mat"):
        reidctl.load_dataset("cuhk03", tmp_path, protocol="classic")


def test_a_file_of_another_format_is_an_error(layouts: Writers, tmp_path: Path) -> None:
    layouts["cuhk03"](tmp_path)
    (tmp_path / "cuhk03/cuhk03_release/cuhk-03.mat").write_bytes(b"no HDF5")
    with pytest.raises(InputError, match=r"cuhk-03.mat is no MATLAB 7.3 file that can be read"):
        reidctl.load_dataset("cuhk03", tmp_path, protocol="classic")


def test_an_hdf5_file_of_something_else_is_an_error(layouts: Writers, tmp_path: Path) -> None:
    layouts["cuhk03"](tmp_path)
    with h5py.File(tmp_path / "cuhk03/cuhk03_release/cuhk-03.mat", "w") as file:
        file["testsets"] = np.zeros(3)
    with pytest.raises(InputError, match=r"cuhk-03.mat has no 'testsets' as CUHK03 stores it"):
        reidctl.load_dataset("cuhk03", tmp_path, protocol="classic")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"filelist": np.array(["1_001_1_01.png"], dtype=object)}, "no list of the new protocol: no 'train_idx'"),
        (
            {"filelist": np.array(["a.png", "1_001_1_06.png"], dtype=object)}
            | dict.fromkeys(("train_idx", "query_idx", "gallery_idx"), np.array([1, 2])),
            "'a.png' tells no pair, person and camera",
        ),
    ],
)
def test_other_lists_are_an_error(variables: dict[str, Any], words: str, layouts: Writers, tmp_path: Path) -> None:
    layouts["cuhk03"](tmp_path)
    savemat(tmp_path / "cuhk03/cuhk03_new_protocol_config_detected.mat", variables)
    with pytest.raises(InputError, match=words):
        reidctl.load_dataset("cuhk03", tmp_path)
