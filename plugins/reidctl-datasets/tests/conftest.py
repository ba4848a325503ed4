"""Small copies of every data set in the layout of its authors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

Writer = Callable[[Path], None]


def picture(number: int, width: int = 12, height: int = 24) -> np.ndarray[Any, Any]:
    """Noise, another for each number."""
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)


def write_images(folder: Path, names: Iterable[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.fromarray(picture(hash_of(folder / name))).save(folder / name)


def hash_of(path: Path) -> int:
    return int.from_bytes(str(Path(*path.parts[-3:])).encode(), "big")


def viper(root: Path) -> None:
    write_images(root / "viper/VIPeR/cam_a", ["000_45.bmp", "001_90.bmp", "002_0.bmp", "005_0.bmp"])
    write_images(root / "viper/VIPeR/cam_b", ["000_135.bmp", "001_90.bmp", "002_180.bmp", "005_90.bmp"])


def cuhk01(root: Path) -> None:
    write_images(root / "cuhk01/campus", [f"{p:04}{n:03}.png" for p in (1, 2, 3, 970, 971) for n in (1, 2, 3, 4)])


def cuhk02(root: Path) -> None:
    for pair in (1, 2, 3, 4, 5):
        for camera in (1, 2):
            names = [f"{person:03}_{shot:04}.png" for person in (1, 2) for shot in (1, 2)]
            write_images(root / f"cuhk02/Dataset/P{pair}/cam{camera}", names)


def prid(root: Path) -> None:
    single = root / "prid2011/prid_2011/single_shot"
    write_images(single / "cam_a", [f"person_{p:04}.png" for p in (1, 2, 3, 200, 201)])
    write_images(single / "cam_b", [f"person_{p:04}.png" for p in (1, 2, 3, 200, 201, 749)])


def sensereid(root: Path) -> None:
    write_images(root / "sensereid/SenseReID/test_probe", ["00000_00.jpg", "00003_00.jpg"])
    write_images(root / "sensereid/SenseReID/test_gallery", ["00000_01.jpg", "00003_01.jpg", "00007_01.jpg"])


def ilids(root: Path) -> None:
    names = [f"{person:04}{shot:03}.jpg" for person in (1, 2, 4, 119) for shot in (1, 2, 3)]
    write_images(root / "ilids/i-LIDS_Pedestrian/Persons", names)


def grid(root: Path, partitions: int = 10) -> None:
    folder = root / "grid/underground_reid"
    write_images(folder / "probe", [f"{p:04}_1_25004_107_32_106_221.jpeg" for p in (1, 2, 3, 4)])
    write_images(folder / "gallery", [f"{p:04}_5_25008_0_0_1_1.jpeg" for p in (1, 2, 3, 4)])
    write_images(folder / "gallery", ["0000_6_25008_1_1_1_1.jpeg", "0000_7_25009_1_1_1_1.jpeg"])
    trials = np.empty((1, partitions), dtype=object)
    for trial in range(partitions):
        people = np.array([[1, 4]] if trial % 2 else [[2, 3]], dtype=np.uint8)
        trials[0, trial] = {"name": "GRID", "images": np.arange(1, 6), "idx": people}
    savemat(folder / "features_and_partitions.mat", {"trainIdxAll": trials, "features": np.zeros((3, 2))})


def veri(root: Path) -> None:
    folder = root / "veri-776/VeRi"
    write_images(folder / "image_train", ["0001_c001_00016450_0.jpg", "0001_c002_00016450_0.jpg", "0004_c020_1_0.jpg"])
    write_images(folder / "image_query", ["0002_c002_00030600_0.jpg", "0005_c003_00084280_0.jpg"])
    write_images(folder / "image_test", ["0002_c001_00030600_1.jpg", "0005_c001_00084280_0.jpg", "0005_c003_1_0.jpg"])


def vehicleid(root: Path) -> None:
    folder = root / "vehicleid/VehicleID_V1.0"
    lists = {
        "train_list": ["0000001 7", "0000002 7", "0000003 9", "0000004 9"],
        "test_list_800": ["0000011 20", "0000012 20", "0000013 20", "0000014 31", "0000015 31"],
        "test_list_1600": ["0000011 20", "0000012 20"],
    }
    write_images(folder / "image", {f"{line.split()[0]}.jpg" for lines in lists.values() for line in lines})
    (folder / "train_test_split").mkdir()
    for name, lines in lists.items():
        (folder / "train_test_split" / f"{name}.txt").write_text("".join(f"{line}\r\n" for line in lines))


CUHK03_PEOPLE = (3, 2, 1, 1, 1)


def cuhk03_image(boxes: str, pair: int, person: int, number: int) -> np.ndarray[Any, Any] | None:
    """[H, W, 3]; the detector found nobody in the third person's images 5 and 10."""
    if boxes == "detected" and (pair, person) == (1, 3) and number in (5, 10):
        return None
    return picture(1000 * pair + 100 * person + number + (7 if boxes == "labeled" else 0), width=10 + number, height=30)


def cuhk03(root: Path) -> None:
    folder = root / "cuhk03"
    (folder / "cuhk03_release").mkdir(parents=True)
    with h5py.File(folder / "cuhk03_release" / "cuhk-03.mat", "w") as file:
        for boxes in ("detected", "labeled"):
            pairs = [_pair_cells(file, boxes, pair, people) for pair, people in enumerate(CUHK03_PEOPLE, start=1)]
            file[boxes] = np.array([pairs], dtype=h5py.ref_dtype)
        tests = [np.array([[1, 2], [3, 1]], float).T, np.array([[1, 1]], float).T]
        file["testsets"] = np.array([[_stored(file, test) for test in tests]], dtype=h5py.ref_dtype)
    listed = [f"1_{p:03}_{1 if n <= 5 else 2}_{n:02}.png" for p in (1, 2, 3) for n in (1, 2, 6)]
    split = {"train_idx": [1, 2, 3], "query_idx": [4, 7], "gallery_idx": [5, 6, 8, 9]}
    for boxes in ("detected", "labeled"):
        savemat(
            folder / f"cuhk03_new_protocol_config_{boxes}.mat",
            {key: np.array(index, float)[:, None] for key, index in split.items()}
            | {"filelist": np.array(listed, dtype=object)[:, None]},
        )


def _pair_cells(file: Any, boxes: str, pair: int, people: int) -> Any:
    """MATLAB's cells [people, 10] with HDF5's reversed axes, and an empty array where there is no image."""
    cells = np.empty((10, people), dtype=h5py.ref_dtype)
    for person in range(1, people + 1):
        for number in range(1, 11):
            image = cuhk03_image(boxes, pair, person, number)
            stored = np.zeros(2, np.uint64) if image is None else image.transpose(2, 1, 0)
            cells[number - 1, person - 1] = _stored(file, stored)
    return _stored(file, cells)


def _stored(file: Any, value: np.ndarray[Any, Any]) -> Any:
    references = file.require_group("#refs#")
    dataset = references.create_dataset(str(len(references)), data=value)
    return dataset.ref


LAYOUTS: dict[str, Writer] = {
    "cuhk01": cuhk01,
    "cuhk02": cuhk02,
    "cuhk03": cuhk03,
    "grid": grid,
    "ilids": ilids,
    "prid": prid,
    "sensereid": sensereid,
    "vehicleid": vehicleid,
    "veri-776": veri,
    "viper": viper,
}


@pytest.fixture(scope="session")
def all_sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root that holds every set; nothing may be changed in it."""
    root = tmp_path_factory.mktemp("sets")
    for write in LAYOUTS.values():
        write(root)
    return root


@pytest.fixture(params=LAYOUTS)
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def layouts() -> dict[str, Writer]:
    return LAYOUTS


@pytest.fixture
def stored_image() -> Callable[[str, int, int, int], np.ndarray[Any, Any] | None]:
    return cuhk03_image
