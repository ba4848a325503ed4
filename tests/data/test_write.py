"""Exported data sets are read back as they were."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reidctl.data.images import read_image
from reidctl.data.leakage import shared_people
from reidctl.data.write import export_layout
from reidctl.errors import ConfigError, ExistsError, InputError
from reidctl.registry import datasets
from reidctl.types import ReidData, Sample, Spec

PARTS = ("train", "query", "gallery")
LAYOUTS = ("market1501", "msmt17")


class Patch:
    """One colour all over."""

    def __init__(self, level: int) -> None:
        self.level = level

    def __call__(self) -> Image.Image:
        return Image.new("RGB", (16, 32), (self.level, 255 - self.level, 128))


def _samples(*labels: tuple[int, int]) -> tuple[Sample, ...]:
    return tuple(
        Sample(Patch(10 * n), f"{identity}-{camera}-{n}", identity, camera)
        for n, (identity, camera) in enumerate(labels)
    )


@pytest.fixture
def data() -> ReidData:
    return ReidData(
        "drawn",
        train=_samples((0, 0), (0, 11), (1, 0), (1, 0)),
        query=_samples((1, 0), (7, 1)),
        gallery=_samples((0, 3), (-1, 2), (1, 1), (7, 0), (7, 0), (12345, 2)),
        distractors=frozenset({0}),
    )


def _read(name: str, root: Path) -> ReidData:
    found = datasets.build(Spec(name=name), root=root)
    assert isinstance(found, ReidData)
    return found


def test_an_exported_msmt17_is_one_that_the_presets_can_train_on(tmp_path: Path, data: ReidData) -> None:
    export_layout(data, tmp_path, "msmt17")
    asked = datasets.build(Spec(name="msmt17", with_validation=True), root=tmp_path)
    assert asked == _read("msmt17", tmp_path)


def _labels(samples: tuple[Sample, ...]) -> list[tuple[int, int]]:
    return sorted((s.identity, s.camera) for s in samples if s.identity >= 0)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_synthetic_data_set_is_read_back_as_it_was(tmp_path: Path, layout: str) -> None:
    spec = Spec(name="synthetic", train_identities=3, test_identities=2, cameras=11, images_per_camera=2, height=32)
    data = datasets.build(spec, root=tmp_path)
    export_layout(data, tmp_path, layout)
    found = _read(layout, tmp_path)
    for part in PARTS:
        assert _labels(getattr(found, part)) == _labels(getattr(data, part))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_splits_identities_and_cameras_are_kept(tmp_path: Path, data: ReidData, layout: str) -> None:
    folder = export_layout(data, tmp_path, layout)
    found = _read(layout, tmp_path)
    for part in PARTS:
        assert _labels(getattr(found, part)) == _labels(getattr(data, part))
    assert folder.is_relative_to(tmp_path / layout)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_file_shows_the_picture_of_its_sample(tmp_path: Path, data: ReidData, layout: str) -> None:
    export_layout(data, tmp_path, layout)
    before = {(s.identity, s.camera): s for s in data.query}
    for sample in _read(layout, tmp_path).query:
        expected = np.asarray(read_image(before[sample.identity, sample.camera].image), int)
        assert np.abs(np.asarray(read_image(sample.image), int) - expected).max() <= 3


def test_test_people_are_numbered_higher_where_one_of_them_has_the_number_of_the_distractors(tmp_path: Path) -> None:
    data = ReidData("zero", train=_samples((0, 0)), query=_samples((0, 0), (4, 0)), gallery=_samples((0, 1), (4, 1)))
    export_layout(data, tmp_path, "market1501")
    found = _read("market1501", tmp_path)
    assert _labels(found.query) == [(1, 0), (5, 0)]
    assert _labels(found.gallery) == [(1, 1), (5, 1)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_people_whose_numbers_nobody_compared_are_not_taken_for_each_other(
    tmp_path: Path, data: ReidData, layout: str
) -> None:
    # Training label 1 and test identity 1 are two people: `data` does not say that they are one.
    export_layout(data, tmp_path, layout)
    assert shared_people(_read(layout, tmp_path), _read(layout, tmp_path)) == []


def test_a_person_who_is_trained_on_and_tested_on_has_one_number(tmp_path: Path) -> None:
    test = {"query": _samples((0, 0), (4, 0)), "gallery": _samples((0, 1), (4, 1))}
    data = ReidData("leaky", train=_samples((0, 0), (1, 1), (2, 0)), train_identities=(9, 4, 2), **test)
    export_layout(data, tmp_path, "market1501")
    found = _read("market1501", tmp_path)
    assert shared_people(found, found) == [5]
    assert sorted(sample.camera for sample in found.train) == [0, 0, 1]
    assert [s.camera for s in found.train if found.train_identities[s.identity] == 5] == [1]


def test_jpeg_files_are_copied_byte_for_byte(tmp_path: Path) -> None:
    source = tmp_path / "a.jpg"
    Patch(9)().save(source, quality=30)
    sample = Sample(source, "a", 0, 0)
    data = ReidData("one", train=(sample,), query=(sample,), gallery=(sample,))
    folder = export_layout(data, tmp_path, "msmt17")
    assert (folder / "train/0000/0000_000_01_0.jpg").read_bytes() == source.read_bytes()


def test_query_and_gallery_of_one_folder_do_not_overwrite_each_other(tmp_path: Path) -> None:
    data = ReidData("pair", train=_samples((0, 0)), query=_samples((3, 0)), gallery=_samples((3, 0), (3, 1)))
    folder = export_layout(data, tmp_path, "msmt17")
    assert len(list((folder / "test").rglob("*.jpg"))) == 3


def test_progress_counts_the_images(tmp_path: Path, data: ReidData) -> None:
    steps: list[int] = []
    export_layout(data, tmp_path, "market1501", progress=steps.append, workers=2)
    assert sum(steps) == 11


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_there_is_not_overwritten(tmp_path: Path, data: ReidData, layout: str) -> None:
    folder = export_layout(data, tmp_path, layout)
    before = sorted(folder.rglob("*"))
    with pytest.raises(ExistsError, match=folder.name):
        export_layout(data, tmp_path, layout)
    assert sorted(folder.rglob("*")) == before


def test_force_replaces_all_that_was_there(tmp_path: Path, data: ReidData) -> None:
    folder = export_layout(data, tmp_path, "market1501")
    (folder / "old.txt").touch()
    export_layout(data, tmp_path, "market1501", force=True)
    assert not (folder / "old.txt").exists()
    assert len(_read("market1501", tmp_path).train) == 4


def test_an_empty_folder_may_be_written_to(tmp_path: Path, data: ReidData) -> None:
    (tmp_path / "market1501/Market-1501-v15.09.15").mkdir(parents=True)
    assert export_layout(data, tmp_path, "market1501").is_dir()


def test_a_broken_image_leaves_nothing_behind(tmp_path: Path) -> None:
    sample = Sample(tmp_path / "gone.jpg", "gone", 0, 0)
    data = ReidData("broken", train=(sample,), query=(sample,), gallery=(sample,))
    with pytest.raises(InputError, match=r"gone\.jpg"):
        export_layout(data, tmp_path / "out", "market1501")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert list((tmp_path / "out" / "market1501").iterdir()) == []


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("part", PARTS)
def test_what_no_reader_takes_is_not_written(tmp_path: Path, data: ReidData, layout: str, part: str) -> None:
    left = _samples((-1, 0)) if part != "train" else ()
    with pytest.raises(InputError, match=f"'drawn' has no images of anybody in {part}$"):
        export_layout(replace(data, **{part: left}), tmp_path, layout)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_layout_suggests_the_nearest(tmp_path: Path, data: ReidData) -> None:
    with pytest.raises(ConfigError, match="no layout named 'market'") as caught:
        export_layout(data, tmp_path, "market")
    assert "market1501" in str(caught.value.hint)
