"""The sets of people whose images are files: whom and which camera each file shows, and who is tested on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

import reidctl
from reidctl.errors import InputError
from reidctl.types import ReidData, Sample


def _by_name(data: ReidData) -> dict[str, tuple[int, int]]:
    """Image -> its own identity and camera, of all parts."""
    own = {s.name: (data.train_identities[s.identity], s.camera) for s in data.train}
    return own | {s.name: (s.identity, s.camera) for s in (*data.query, *data.gallery)}


def _names(samples: tuple[Sample, ...]) -> list[str]:
    return [sample.name for sample in samples]


def test_viper(all_sets: Path) -> None:
    data = reidctl.load_dataset("viper", all_sets)
    found = _by_name(data)
    assert len(found) == 8
    assert found["cam_a_000_45"] == (0, 0)
    assert found["cam_b_005_90"] == (5, 1)
    assert (len(data.train), len(data.query), len(data.gallery)) == (4, 2, 2)
    assert {sample.camera for sample in data.query} == {0}


@pytest.mark.parametrize("name", ["viper", "cuhk01", "cuhk02", "prid"])
def test_the_other_direction_swaps_query_and_gallery(name: str, all_sets: Path) -> None:
    there, back = (reidctl.load_dataset(name, all_sets, reverse=reverse) for reverse in (False, True))
    assert there.train_identities == back.train_identities
    searched = {sample.identity for sample in there.query}
    assert {s for s in there.gallery if s.identity in searched and s.name in _names(back.query)} == set(back.query)
    assert {s for s in back.gallery if s.name in _names(there.query)} == set(there.query)


def test_cuhk01(all_sets: Path) -> None:
    data = reidctl.load_dataset("cuhk01", all_sets)
    found = _by_name(data)
    assert {name: camera for name, (person, camera) in found.items() if person == 970} == {
        "0970001": 0,
        "0970002": 0,
        "0970003": 1,
        "0970004": 1,
    }
    assert (data.num_identities, len(data.train), len(data.query), len(data.gallery)) == (2, 8, 6, 6)


def test_cuhk02_tests_on_the_fourth_pair(all_sets: Path) -> None:
    data = reidctl.load_dataset("cuhk02", all_sets)
    assert data.train_identities == (1001, 1002, 2001, 2002, 3001, 3002, 5001, 5002)
    assert len(data.train) == 32
    assert [(s.name, s.identity, s.camera) for s in data.query] == [
        ("P4_cam1_001_0001", 4001, 6),
        ("P4_cam1_001_0002", 4001, 6),
        ("P4_cam1_002_0001", 4002, 6),
        ("P4_cam1_002_0002", 4002, 6),
    ]
    assert {s.camera for s in data.gallery} == {7}


def test_prid_searches_shared_people_among_everybody_of_the_other_camera(all_sets: Path) -> None:
    data = reidctl.load_dataset("prid", all_sets)
    assert data.num_identities == 2
    assert len(data.train) == 4
    searched = {1, 2, 3, 200} - set(data.train_identities)
    assert {s.identity for s in data.query} == searched
    assert {s.identity for s in data.gallery} == searched | {201, 749}
    # Person 201 of the first camera is another one than person 201 of the second.
    assert "cam_a_person_0201" not in _by_name(data)
    back = reidctl.load_dataset("prid", all_sets, reverse=True)
    assert {s.identity for s in back.gallery} == searched | {201}


def test_sensereid_is_a_test_alone(all_sets: Path) -> None:
    data = reidctl.load_dataset("sensereid", all_sets)
    assert data.train == ()
    assert [(s.name, s.identity, s.camera) for s in data.query] == [
        ("test_probe_00000_00", 0, 0),
        ("test_probe_00003_00", 3, 0),
    ]
    assert [s.identity for s in data.gallery] == [0, 3, 7]


def test_ilids_has_one_image_of_each_person_in_the_gallery(all_sets: Path) -> None:
    data = reidctl.load_dataset("ilids", all_sets)
    assert (data.num_identities, len(data.train)) == (2, 6)
    tested = {1, 2, 4, 119} - set(data.train_identities)
    assert sorted(s.identity for s in data.gallery) == sorted(tested)
    assert sorted(s.identity for s in data.query) == sorted([*tested, *tested])
    assert {s.name[:4] for s in data.query} == {f"{person:04}" for person in tested}


@pytest.mark.parametrize(("split", "trained"), [(0, (2, 3)), (1, (1, 4)), (9, (1, 4))])
def test_grid_trains_on_whom_its_partition_names(split: int, trained: tuple[int, int], all_sets: Path) -> None:
    data = reidctl.load_dataset("grid", all_sets, split=split)
    assert data.train_identities == trained
    tested = sorted({1, 2, 3, 4} - set(trained))
    assert [(s.identity, s.camera) for s in data.query] == [(person, 0) for person in tested]
    assert sorted((s.identity, s.camera) for s in data.gallery) == [(0, 5), (0, 6), *((p, 4) for p in tested)]
    assert data.distractors == {0}


def test_a_partition_of_grid_may_be_a_plain_list(layouts: dict[str, Callable[..., None]], tmp_path: Path) -> None:
    layouts["grid"](tmp_path)
    trials = np.empty((1, 10), dtype=object)
    trials[0] = [np.array([[3.0, 4.0]])] * 10
    savemat(tmp_path / "grid/underground_reid/features_and_partitions.mat", {"trainIdxAll": trials})
    assert reidctl.load_dataset("grid", tmp_path).train_identities == (3, 4)


@pytest.mark.parametrize("variables", [{"other": 1}, {"trainIdxAll": np.array([[1, 2, 3]])}])
def test_partitions_of_grid_that_name_no_half_are_an_error(
    variables: dict[str, Any], layouts: dict[str, Callable[..., None]], tmp_path: Path
) -> None:
    layouts["grid"](tmp_path)
    savemat(tmp_path / "grid/underground_reid/features_and_partitions.mat", variables)
    with pytest.raises(InputError, match=r"features_and_partitions.mat names no half of the 4 people in partition 0"):
        reidctl.load_dataset("grid", tmp_path)


def test_damaged_partitions_of_grid_are_an_error(layouts: dict[str, Callable[..., None]], tmp_path: Path) -> None:
    layouts["grid"](tmp_path)
    (tmp_path / "grid/underground_reid/features_and_partitions.mat").write_bytes(b"MATLAB 5.0" + bytes(300))
    with pytest.raises(InputError, match=r"features_and_partitions.mat is no MATLAB file that can be read"):
        reidctl.load_dataset("grid", tmp_path)
