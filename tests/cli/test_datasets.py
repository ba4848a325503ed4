"""`reidctl datasets` on files in the real layouts."""

import json
from pathlib import Path

import pytest

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
    assert result.out == "ok: market1501: 16 images\n"


def test_a_truncated_image_is_found_and_named(cli: Cli, root: Path) -> None:
    image = min((root / "market1501" / "Market-1501-v15.09.15" / "query").glob("*.jpg"))
    image.write_bytes(image.read_bytes()[:200])
    result = cli("datasets", "verify", "market1501", "--root", root, "--json")
    assert result.code == 1
    problems = json.loads(result.out)["problems"]
    assert [(problem["kind"], problem["where"]) for problem in problems] == [("unreadable", image.stem)]


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
