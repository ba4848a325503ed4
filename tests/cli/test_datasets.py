"""`reidctl datasets` on files in the real layouts."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import Cli

SMALL = "{name: synthetic, train_identities: 2, test_identities: 2, cameras: 2, images_per_camera: 2}"


@pytest.fixture
def root(cli: Cli, tmp_path: Path) -> Path:
    """A data root with a small data set in both layouts."""
    for layout in ("market1501", "msmt17"):
        result = cli("datasets", "export", SMALL, tmp_path, "--layout", layout)
        assert result.code == 0, result.err
    return tmp_path


@pytest.mark.parametrize("name", ["market1501", "msmt17"])
def test_what_was_exported_is_counted_by_the_reader(cli: Cli, root: Path, name: str) -> None:
    parts = {
        row["part"]: row for row in json.loads(cli("datasets", "stats", name, "--root", root, "--json").out)["parts"]
    }
    assert (parts["train"]["images"], parts["train"]["identities"], parts["train"]["cameras"]) == (8, 2, 2)
    assert (parts["query"]["images"], parts["gallery"]["images"]) == (4, 4)


def test_the_root_may_follow_the_name(cli: Cli, root: Path) -> None:
    assert cli("datasets", "stats", f"market1501={root}", "--json").code == 0


def test_a_sound_data_set_verifies(cli: Cli, root: Path) -> None:
    result = cli("datasets", "verify", "market1501", "--root", root)
    assert result.code == 0
    lines = [line.split() for line in result.out.splitlines()]
    assert lines[0][-4:] == ["cam", "1", "cam", "2"]
    assert lines[2:] == [
        ["train", "2", "4/4/4", "2/2/2", "4", "4"],
        ["query", "2", "2/2/2", "2/2/2", "2", "2"],
        ["gallery", "2", "2/2/2", "2/2/2", "2", "2"],
        ["ok:", "market1501:", "16", "images"],
    ]


def test_counts_of_each_identity_and_camera_are_there_for_machines(cli: Cli, root: Path) -> None:
    answer = json.loads(cli("datasets", "verify", "market1501", "--root", root, "--json").out)
    assert (answer["schema"], answer["images"], answer["problems"]) == ("reidctl.datasets-verify/1", 16, [])
    assert answer["counts"]["train"] == {
        "cameras": {"0": 4, "1": 4},
        "identities": {"5002": {"0": 2, "1": 2}, "5003": {"0": 2, "1": 2}},
    }


def test_a_picture_of_samples_is_drawn_and_not_overwritten(cli: Cli, root: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    assert cli("datasets", "verify", "market1501", "--root", root, "--samples", sheet).code == 0
    drawn = sheet.read_bytes()
    with Image.open(sheet) as picture:
        assert picture.height > 4 * 128
    result = cli("datasets", "verify", "msmt17", "--root", root, "--samples", sheet)
    assert (result.code, sheet.read_bytes()) == (2, drawn)
    assert "--force" in result.err
    assert cli("datasets", "verify", "msmt17", "--root", root, "--samples", sheet, "--force").code == 0


@pytest.mark.parametrize("name", ["people", "people.psd"])
def test_what_is_no_name_of_a_picture_is_refused_before_images_are_opened(cli: Cli, root: Path, name: str) -> None:
    result = cli("datasets", "verify", "market1501", "--root", root, "--samples", root / name)
    assert (result.code, result.out) == (2, "")
    assert f"{name}: not a picture's name" in result.err


def test_problems_are_told_where_the_picture_cannot_be_written(cli: Cli, root: Path, tmp_path: Path) -> None:
    (root / "market1501" / "Market-1501-v15.09.15" / "query" / "portrait.jpg").touch()
    (tmp_path / "file").touch()
    result = cli("datasets", "verify", "market1501", "--root", root, "--samples", tmp_path / "file" / "sheet.png")
    assert result.code == 2
    assert "misnamed" in result.out


def test_misnamed_files_are_reported_with_what_else_is_wrong(cli: Cli, root: Path) -> None:
    query = root / "market1501" / "Market-1501-v15.09.15" / "query"
    (query / "portrait.jpg").touch()
    min(query.glob("*_c1*.jpg")).write_bytes(b"")
    result = cli("datasets", "verify", "market1501", "--root", root)
    assert result.code == 1
    assert [line.split()[0] for line in result.out.splitlines()[-2:]] == ["misnamed", "empty"]
    assert "2 problems, the first: " in result.err
    assert "names are like 0002_c1s1_000451_03.jpg" in result.err


def test_of_many_problems_of_a_kind_some_are_shown_and_all_are_in_json(cli: Cli, root: Path) -> None:
    train = root / "market1501" / "Market-1501-v15.09.15" / "bounding_box_train"
    for number in range(33):
        (train / f"portrait{number:02}.jpg").touch()
    shown = cli("datasets", "verify", "market1501", "--root", root).out
    assert (shown.count("portrait"), "and 13 more; --json lists all" in shown) == (20, True)
    answer = json.loads(cli("datasets", "verify", "market1501", "--root", root, "--json").out)
    assert len(answer["problems"]) == 33


def test_a_folder_of_ones_own_images_needs_no_class(cli: Cli, tmp_path: Path) -> None:
    for person in ("ann", "bob", "eve", "joe"):
        for camera in ("door", "hall"):
            for number in range(2):
                path = tmp_path / "crops" / person / f"{camera}_{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (2, 4), (ord(camera[0]), number, ord(person[0]))).save(path)
    result = cli("datasets", "verify", "{name: folder, path: crops, camera: '{camera}_*'}", "--root", tmp_path)
    assert result.code == 0, result.err
    lines = [f"{path.relative_to(tmp_path)};{path.parent.name};{path.name[:4]}" for path in tmp_path.rglob("*.png")]
    (tmp_path / "list.csv").write_text("\n".join(["path;identity;cam", *lines]))
    result = cli("datasets", "verify", "{name: csv, file: list.csv, columns: {camera: cam}}", "--root", tmp_path)
    assert result.code == 0, result.err
    result = cli("datasets", "verify", "{name: csv, file: list.csv}", "--root", tmp_path)
    assert result.code == 2
    assert "no column 'camera' for the camera; it has path, identity, cam" in result.err


def test_a_bad_image_stops_a_run_before_its_first_epoch(cli: Cli, root: Path, tmp_path: Path) -> None:
    image = min((root / "market1501" / "Market-1501-v15.09.15" / "bounding_box_train").iterdir())
    image.write_bytes(image.read_bytes()[:-20])
    settings = ["data.sources=[market1501]", "data.targets=[]", f"runs={tmp_path / 'runs'}"]
    result = cli("train", "--preset", "demo", "--root", root, *(f"--set={setting}" for setting in settings))
    assert result.code == 2
    assert f"1 bad image: {image}: cannot be read: " in result.err
    assert "data.on_bad_image=skip" in result.err
    assert not (tmp_path / "runs").exists()


def test_a_bad_image_stops_a_test_unless_it_is_to_be_skipped(cli: Cli, root: Path) -> None:
    image = min((root / "market1501" / "Market-1501-v15.09.15" / "bounding_box_test").iterdir())
    image.write_bytes(b"")
    call = ("eval", "demo", "--data", "market1501", "--root", root, "--json")
    result = cli(*call)
    assert result.code == 2
    assert f"1 bad image: {image}: cannot be read: the file is empty" in result.err
    result = cli(*call, "--on-bad-image", "skip")
    assert result.code == 0, result.err
    assert "1 bad image skipped" in result.err
    assert json.loads(result.out)["targets"]["market1501"]["gallery"] == 3


def test_a_truncated_image_is_found_and_named(cli: Cli, root: Path) -> None:
    image = min((root / "market1501" / "Market-1501-v15.09.15" / "query").glob("*.jpg"))
    image.write_bytes(image.read_bytes()[:200])
    result = cli("datasets", "verify", "market1501", "--root", root, "--json")
    assert result.code == 1
    problems = json.loads(result.out)["problems"]
    assert [(problem["kind"], problem["where"]) for problem in problems] == [("truncated", image.stem)]


def test_queries_without_a_match_are_explained(cli: Cli, root: Path) -> None:
    folder = root / "market1501" / "Market-1501-v15.09.15" / "bounding_box_test"
    for image in folder.glob("*_c2*.jpg"):
        image.unlink()
    for image in (folder.parent / "query").glob("*_c2*.jpg"):
        image.unlink()
    result = cli("datasets", "verify", "market1501", "--root", root)
    assert result.code == 1
    assert "every image has the same camera" in result.err


@pytest.mark.parametrize("name", ["market1501", "msmt17"])
def test_a_missing_folder_is_one_line(cli: Cli, tmp_path: Path, name: str) -> None:
    result = cli("datasets", "stats", name, "--root", tmp_path / "nowhere")
    assert result.code == 2
    assert str(tmp_path / "nowhere") in result.err.splitlines()[0]
    assert "Traceback" not in result.err


def test_an_existing_export_is_left_alone(cli: Cli, root: Path) -> None:
    result = cli("datasets", "export", SMALL, root, "--layout", "market1501")
    assert result.code == 2
    assert "already there" in result.err


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("market1510", "did you mean 'market1501'?"),
        ("{name: synthetic, cameras: 1}", "cameras: should be greater than or equal to 2"),
        ("{name: synthetic, camera: 4}", "did you mean 'cameras'?"),
        ("{cameras: 4}", "name: missing"),
        ("{name: [", "--data"),
    ],
)
def test_a_mistake_in_the_name_is_explained(cli: Cli, data: str, words: str) -> None:
    result = cli("datasets", "stats", data)
    assert result.code == 2
    assert words in result.err
