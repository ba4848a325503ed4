"""Every kind of fault, made by hand, is reported once and by its name; a sound data set has none."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reidctl.data.problems import Problem
from reidctl.data.verify import verify
from reidctl.data.write import export_layout
from reidctl.registry import datasets
from reidctl.types import ReidData, Sample, Spec

SYNTHETIC = Spec(name="synthetic", train_identities=3, test_identities=3, cameras=3, images_per_camera=2, height=32)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drawn pedestrians as files in both layouts."""
    root = tmp_path_factory.mktemp("exported")
    for layout in ("market1501", "msmt17"):
        export_layout(datasets.build(SYNTHETIC, root=root), root, layout)
    return root


@pytest.fixture
def root(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "data"))


def _verify(root: Path, name: str = "market1501") -> list[Problem]:
    problems: list[Problem] = []
    data = datasets.build(Spec(name=name), root=root, report=problems.append)
    return [*problems, *verify(data)]


def _kinds(problems: list[Problem]) -> list[tuple[str, str]]:
    return [(problem.kind, problem.where) for problem in problems]


def _market(root: Path) -> Path:
    return root / "market1501" / "Market-1501-v15.09.15"


@pytest.mark.parametrize("name", ["market1501", "msmt17"])
def test_the_drawn_pedestrians_are_sound_as_files(root: Path, name: str) -> None:
    assert _verify(root, name) == []


def test_the_drawn_pedestrians_are_sound_as_they_are_drawn(tmp_path: Path) -> None:
    steps: list[int] = []
    assert verify(datasets.build(SYNTHETIC, root=tmp_path), steps.append) == []
    assert sum(steps) == 36


def test_each_way_of_being_unusable_has_its_kind(root: Path) -> None:
    first, second, third, fourth = sorted((_market(root) / "bounding_box_train").iterdir())[:4]
    first.write_bytes(first.read_bytes()[:-50])
    second.write_bytes(b"")
    third.write_text("no image at all")
    fourth.unlink()
    fourth.symlink_to(root / "gone.jpg")
    assert _kinds(_verify(root)) == [
        ("truncated", first.stem),
        ("empty", second.stem),
        ("no image", third.stem),
        ("missing", fourth.stem),
    ]


@pytest.mark.parametrize("name", ["market1501", "msmt17"])
def test_what_is_misnamed_is_reported_and_the_rest_still_verified(root: Path, name: str) -> None:
    if name == "market1501":
        where = str(_market(root) / "query" / "portrait.jpg")
        shutil.copy(next((_market(root) / "query").iterdir()), where)
        bad = min((_market(root) / "query").glob("*_c1*.jpg"))
    else:
        folder = root / "msmt17" / "MSMT17_V1"
        with (folder / "list_query.txt").open("a") as file:
            file.write("0000/portrait.jpg 0\n")
        where = f"{folder / 'list_query.txt'}, line 10"
        bad = folder / "test" / (folder / "list_query.txt").read_text().split()[0]
    bad.write_bytes(b"")
    assert _kinds(_verify(root, name)) == [("misnamed", where), ("empty", bad.stem)]


def test_copies_are_found_across_parts(root: Path) -> None:
    train = min((_market(root) / "bounding_box_train").iterdir())
    gallery = sorted((_market(root) / "bounding_box_test").iterdir())
    shutil.copy(train, gallery[0])
    shutil.copy(gallery[1], gallery[-1])
    found = _verify(root)
    assert _kinds(found) == [("duplicate", gallery[0].stem), ("duplicate", gallery[-1].stem)]
    assert found[0].what == f"the same bytes as '{train.stem}' in train"
    assert found[1].what == f"the same bytes as '{gallery[1].stem}' in gallery, which shows another person"


def test_files_of_one_size_are_no_copies(tmp_path: Path) -> None:
    samples = []
    for number in range(3):
        path = tmp_path / f"{number}.bmp"
        Image.new("RGB", (4, 4), (number, 0, 0)).save(path)
        samples.append(Sample(path, path.stem, 0, number))
    assert len({path.stat().st_size for path in tmp_path.iterdir()}) == 1
    assert verify(ReidData("some", train=tuple(samples))) == []


@dataclass
class Mutable:
    """A drawn picture that no set can hold."""

    level: int

    def __call__(self) -> Image.Image:
        return Image.new("RGB", (4, 8), (self.level, 0, 0))


def test_drawn_pictures_need_no_hash() -> None:
    first, again = Sample(Mutable(1), "a", 0, 0), Sample(Mutable(1), "b", 0, 1)
    assert verify(ReidData("drawn", train=(first, again))) == []


def test_a_link_to_a_training_image_is_trained_on_and_a_copy(root: Path) -> None:
    train = min((_market(root) / "bounding_box_train").iterdir())
    gallery = min((_market(root) / "bounding_box_test").iterdir())
    gallery.unlink()
    gallery.symlink_to(train)
    assert _kinds(_verify(root)) == [("duplicate", gallery.stem), ("trained on", gallery.stem)]


def test_a_person_trained_and_tested_on_is_reported_by_number(root: Path) -> None:
    photo = max((_market(root) / "bounding_box_train").iterdir())
    tested = int(next((_market(root) / "query").iterdir()).name[:4])
    for camera in (1, 2):
        noise = np.random.default_rng(camera).integers(0, 256, (8, 4, 3), np.uint8)
        Image.fromarray(noise).save(photo.with_name(f"{tested:04d}_c{camera}s1_000009_00.jpg"))
    assert _kinds(_verify(root)) == [("shared identity", f"identity {tested}")]


def _without(folder: Path, pattern: str) -> None:
    for path in folder.glob(pattern):
        path.unlink()


def test_a_person_seen_by_one_camera_is_reported_by_number(root: Path) -> None:
    _, second, _ = sorted({path.name[:4] for path in (_market(root) / "bounding_box_train").iterdir()})
    _without(_market(root) / "bounding_box_train", f"{second}_c[23]*")
    [found] = _verify(root)
    assert (found.kind, found.where) == ("one camera", f"training identity {int(second)}")
    assert found.what.startswith("seen by camera 1 only")


def test_a_query_without_a_match_says_whether_its_person_is_in_the_gallery(root: Path) -> None:
    first, second, _ = sorted({path.name[:4] for path in (_market(root) / "query").iterdir()})
    _without(_market(root) / "query", f"{first}_c[23]*")
    _without(_market(root) / "bounding_box_test", f"{first}_c[23]*")
    _without(_market(root) / "bounding_box_test", f"{second}_*")
    found = _verify(root)
    assert [problem.kind for problem in found] == ["unmatched query"] * 4 + ["one camera"]
    assert found[0].what == f"the gallery has identity {int(first)} by the query's own camera 1 only"
    assert found[1].what == f"identity {int(second)} does not appear in the gallery"
    assert found[4].where == f"test identity {int(first)}"


def test_a_gallery_of_other_people_is_explained_once(root: Path) -> None:
    for path in (_market(root) / "bounding_box_test").iterdir():
        path.rename(path.with_name(f"9{path.name}"))
    [found] = _verify(root)
    assert (found.kind, found.where) == ("no matches", "query")
    assert "query identities do not appear in the gallery: none of " in found.what
    assert found.hint


def test_one_camera_for_all_is_explained_once_a_part(root: Path) -> None:
    for part in ("bounding_box_train", "query", "bounding_box_test"):
        _without(_market(root) / part, "*_c[23]*")
    assert _kinds(_verify(root)) == [
        ("no matches", "query"),
        ("one camera", "training identities"),
        ("one camera", "test identities"),
    ]


def test_the_real_subset_has_only_queries_without_a_match(real_data: Path) -> None:
    assert {problem.kind for problem in _verify(real_data / "data")} == {"unmatched query"}
