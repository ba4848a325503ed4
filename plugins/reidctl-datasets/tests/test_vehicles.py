"""The sets of vehicles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import reidctl
from reidctl.errors import ConfigError, InputError

LISTS = "vehicleid/VehicleID_V1.0/train_test_split"


def test_veri_776(all_sets: Path) -> None:
    data = reidctl.load_dataset("veri-776", all_sets)
    assert [(s.name, s.identity, s.camera) for s in data.train] == [
        ("0001_c001_00016450_0", 0, 0),
        ("0001_c002_00016450_0", 0, 1),
        ("0004_c020_1_0", 1, 19),
    ]
    assert data.train_identities == (1, 4)
    assert [(s.identity, s.camera) for s in data.query] == [(2, 1), (5, 2)]
    assert [(s.identity, s.camera) for s in data.gallery] == [(2, 0), (5, 0), (5, 2)]


def test_vehicleid_has_one_image_of_each_vehicle_in_the_gallery(all_sets: Path) -> None:
    data = reidctl.load_dataset("vehicleid", all_sets)
    assert data.train_identities == (7, 9)
    assert [s.name for s in data.train] == ["0000001", "0000002", "0000003", "0000004"]
    assert sorted(s.identity for s in data.gallery) == [20, 31]
    assert sorted(s.identity for s in data.query) == [20, 20, 31]
    assert len({reidctl.load_dataset("vehicleid", all_sets, split=split).gallery for split in range(10)}) > 1


def test_vehicleid_has_several_tests(all_sets: Path) -> None:
    assert {s.identity for s in reidctl.load_dataset("vehicleid", all_sets, test_size=1600).gallery} == {20}
    with pytest.raises(InputError, match=r"test_list_2400.txt cannot be read"):
        reidctl.load_dataset("vehicleid", all_sets, test_size=2400)
    with pytest.raises(ConfigError, match="test_size"):
        reidctl.load_dataset("vehicleid", all_sets, test_size=801)


@pytest.mark.parametrize("line", ["0000001", "0000001.jpg 7", "7 seven", ""])
def test_a_line_that_does_not_parse_is_an_error(
    line: str, layouts: dict[str, Callable[[Path], None]], tmp_path: Path
) -> None:
    layouts["vehicleid"](tmp_path)
    listing = tmp_path / LISTS / "train_list.txt"
    listing.write_text(f"0000001 7\n{line}\n0000002 7\n")
    with pytest.raises(InputError, match=r"train_list.txt, line 2: '.*' tells no image and identity"):
        reidctl.load_dataset("vehicleid", tmp_path)


def test_an_empty_list_is_an_error(layouts: dict[str, Callable[[Path], None]], tmp_path: Path) -> None:
    layouts["vehicleid"](tmp_path)
    (tmp_path / LISTS / "train_list.txt").write_text("")
    with pytest.raises(InputError, match=r"train_list.txt is empty"):
        reidctl.load_dataset("vehicleid", tmp_path)
