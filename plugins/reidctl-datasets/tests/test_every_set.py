"""What holds for every data set of the package, through the public door."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import reidctl
from reidctl.errors import InputError
from reidctl.testing import check_dataset

Writers = dict[str, Callable[[Path], None]]
FIRST_PLACE = {
    "cuhk01": "cuhk01",
    "cuhk02": "cuhk02/Dataset",
    "cuhk03": "cuhk03",
    "grid": "grid/underground_reid",
    "ilids": "ilids/i-LIDS_Pedestrian",
    "prid": "prid2011/prid_2011/single_shot",
    "sensereid": "sensereid/SenseReID",
    "vehicleid": "vehicleid/VehicleID_V1.0",
    "veri-776": "veri-776/VeRi",
    "viper": "viper/VIPeR",
}
WITH_A_FILE_PER_IMAGE = sorted(set(FIRST_PLACE) - {"cuhk03", "vehicleid"})
WITH_CHANCE = ("cuhk01", "ilids", "prid", "viper")


def _reidctl(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "reidctl", *arguments], capture_output=True, text=True, check=False)


def test_every_registered_set_is_tested(layouts: Writers) -> None:
    listed = json.loads(_reidctl("plugins", "list", "--kind", "dataset", "--json").stdout)["plugins"]
    assert {row["name"] for row in listed if row["package"] == "reidctl-datasets"} == set(layouts) == set(FIRST_PLACE)


def test_withdrawn_sets_are_not_offered(layouts: Writers) -> None:
    assert not [name for name in layouts if "duke" in name or "1203" in name]


def test_it_keeps_the_contract(name: str, all_sets: Path) -> None:
    check_dataset(reidctl.load_dataset(name, all_sets))


def test_every_query_has_a_match_by_another_camera(name: str, all_sets: Path) -> None:
    data = reidctl.load_dataset(name, all_sets)
    assert data.query
    for query in data.query:
        assert any(other.identity == query.identity and other.camera != query.camera for other in data.gallery)


def test_nobody_is_trained_on_and_tested_on(name: str, all_sets: Path) -> None:
    data = reidctl.load_dataset(name, all_sets)
    assert len(data.train_identities) == data.num_identities
    assert not set(data.train_identities) & {sample.identity for sample in (*data.query, *data.gallery)}


def test_it_is_read_the_same_twice(name: str, all_sets: Path) -> None:
    assert reidctl.load_dataset(name, all_sets) == reidctl.load_dataset(name, all_sets)


@pytest.mark.parametrize("name", WITH_CHANCE)
def test_ten_splits_of_it_are_not_one(name: str, all_sets: Path) -> None:
    assert len({reidctl.load_dataset(name, all_sets, split=split).train_identities for split in range(10)}) > 1


def test_the_command_finds_nothing_wrong(name: str, all_sets: Path) -> None:
    ended = _reidctl("datasets", "verify", name, "--root", all_sets, "--json")
    found = json.loads(ended.stdout)
    # A handful of people is too few for all of them to have been seen twice.
    assert [problem for problem in found["problems"] if problem["kind"] != "one camera"] == []


def test_a_missing_set_says_where_it_was_looked_for(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"data set '{name}': no {tmp_path / FIRST_PLACE[name]} with ") as caught:
        reidctl.load_dataset(name, tmp_path)
    assert "no folders; give the folder that holds" in str(caught.value.hint)


def test_a_set_in_a_folder_of_a_similar_name_is_pointed_out(name: str, layouts: Writers, tmp_path: Path) -> None:
    layouts[name](tmp_path)
    wanted = FIRST_PLACE[name].split("/")[0]
    (tmp_path / wanted).rename(tmp_path / f"{wanted}_old")
    with pytest.raises(InputError) as caught:
        reidctl.load_dataset(name, tmp_path)
    assert caught.value.hint == (f"there is {tmp_path / wanted}_old; rename it to '{wanted}' or give another --root")


@pytest.mark.parametrize("name", WITH_A_FILE_PER_IMAGE)
def test_a_name_that_does_not_parse_is_an_error(name: str, layouts: Writers, tmp_path: Path) -> None:
    layouts[name](tmp_path)
    some = next(path for path in sorted(tmp_path.rglob("*.*")) if path.suffix in (".bmp", ".png", ".jpg", ".jpeg"))
    some.rename(some.with_name(f"portrait{some.suffix}"))
    with pytest.raises(InputError, match=f"portrait{some.suffix}: the name tells no identity as {name} writes it"):
        reidctl.load_dataset(name, tmp_path)


@pytest.mark.parametrize("name", WITH_A_FILE_PER_IMAGE)
def test_a_folder_without_images_is_an_error(name: str, layouts: Writers, tmp_path: Path) -> None:
    layouts[name](tmp_path)
    images = [path for path in tmp_path.rglob("*.*") if path.suffix in (".bmp", ".png", ".jpg", ".jpeg")]
    emptied = min(image.parent for image in images)
    for image in emptied.iterdir():
        image.unlink()
    with pytest.raises(InputError, match=f"{emptied.name} holds no {images[0].suffix} files"):
        reidctl.load_dataset(name, tmp_path)
