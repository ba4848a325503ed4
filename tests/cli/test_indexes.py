import json
from pathlib import Path

import numpy as np
import pytest

from reidctl.retrieval.features import Block, Labels, Made, write_features
from reidctl.types import ArtefactInfo
from tests.conftest import Cli, Packages

SOURCE = Path(__file__).parents[1] / "plain_index.py"


@pytest.fixture(autouse=True)
def plain(packages: Packages) -> None:
    """The index `plain`, of a package."""
    packages.add("acme-index", {"indexes": {"plain": "PlainIndex"}}, SOURCE.read_text(encoding="utf-8"))


def features(file: Path, names: str = "abcd", turn: float = 0.0, model: str = "osnet") -> Path:
    """One row a name, at 0, 10, 20, … degrees from the first (and `turn` more); cameras 0, 1, 0, 1, …"""
    angles = np.radians(10 * np.arange(len(names)) + turn)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    rows = np.arange(len(names))
    block = Block(Labels(list(names), rows, rows % 2, [f"/{name}.jpg" for name in names]), vectors)
    made = Made(ArtefactInfo(model=model, embedding_dim=2, weights_sha256=None), model, "f32", "0")
    write_features(file, iter([block]), len(names), made)
    return file


def found(cli: Cli, *arguments: object) -> str:
    result = cli("indexes", "search", *map(str, arguments), "--json")
    assert result.code == 0, result.err
    return "".join(row["name"] for row in json.loads(result.out)["results"])


def test_what_is_added_is_found_by_camera_and_time(cli: Cli, tmp_path: Path) -> None:
    index, file, times = f"plain={tmp_path / 'index'}", features(tmp_path / "f.parquet"), tmp_path / "times.csv"
    # With the mark that spreadsheets write.
    lines = "name,time\na,1000\nb,1970-01-01T00:20:00\nc,1970-01-01T01:23:20+01:00\n"
    times.write_text(lines, encoding="utf-8-sig")
    told = json.loads(cli("indexes", "add", index, file, "--times", times, "--json").out)
    assert (told["given"], told["added"], told["rows"]) == (4, 4, 4)
    query = f"{file}:a"
    assert found(cli, index, query) == "abcd"
    assert found(cli, index, query, "-k", 2) == "ab"
    # As in names of files and in tables, camera 2 is the one that features and JSON count as 1.
    assert found(cli, index, query, "--camera", 2) == "bd"
    assert found(cli, index, query, "--camera", 2, "--camera", 1) == "abcd"
    assert found(cli, index, query, "--since", 1200) == "bc"
    assert found(cli, index, query, "--since", "1970-01-01T00:20:00", "--until", 1400) == "b"
    # 1 - cos 10° is 0.0152, 1 - cos 20° is 0.0603.
    assert found(cli, index, query, "--threshold", 0.05) == "ab"


def test_a_table_counts_cameras_from_1_as_the_option_does_and_json_as_the_features_do(cli: Cli, tmp_path: Path) -> None:
    index, file = f"plain={tmp_path / 'index'}", features(tmp_path / "f.parquet")
    cli("indexes", "add", index, file)
    asked = ("indexes", "search", index, f"{file}:a", "--camera", "2", "-k", "1")
    header, *_, line = cli(*asked).out.splitlines()
    assert line.split()[header.split().index("camera")] == "2"
    assert [row["camera"] for row in json.loads(cli(*asked, "--json").out)["results"]] == [1]
    assert "0 is not in the range x>=1" in cli(*asked[:-3], "0").err


def test_adding_again_replaces_and_deleting_takes_away(cli: Cli, tmp_path: Path) -> None:
    index, file = f"plain={tmp_path / 'index'}", features(tmp_path / "f.parquet")
    cli("indexes", "add", index, file)
    again = cli("indexes", "add", index, features(tmp_path / "g.parquet", "cde", turn=50.0))
    assert again.err == "1 added, 2 replaced, 5 embeddings of 2 numbers\n"
    assert found(cli, index, f"{file}:a") == "abcde"
    assert cli("indexes", "delete", index, "a", "d", "nobody").out == "2 deleted, 3 left\n"
    assert found(cli, index, f"{file}:a") == "bce"


def test_embeddings_of_another_model_are_refused(cli: Cli, tmp_path: Path) -> None:
    index = f"plain={tmp_path / 'index'}"
    cli("indexes", "add", index, features(tmp_path / "f.parquet"))
    other = features(tmp_path / "g.parquet", model="another")
    for arguments in (("add", index, other), ("search", index, f"{other}:a")):
        result = cli("indexes", *map(str, arguments))
        assert result.code == 2
        assert "another model" in result.err
        assert "model osnet / another" in result.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("search", "plain=nowhere", "f.parquet"), "nowhere: no index is there"),
        (("search", "plain", "f.parquet"), "where is the index?"),
        (("search", "plaim=x", "f.parquet"), "did you mean 'plain'?"),
        (("delete", "plain=nowhere", "a"), "nowhere: no index is there"),
        (("add", "plain=new", "nothing.parquet"), "nothing.parquet: no such feature file"),
        (("add", "plain=new", "f.parquet", "--times", "f.parquet"), "f.parquet cannot be read"),
        (("add", "plain=new", "f.parquet", "--times", "wrong.csv"), "its columns are name, when"),
        (("add", "plain=new", "f.parquet", "--times", "late.csv"), "late.csv:3: 'noon' is no time"),
        (("add", "plain=new", "f.parquet", "--times", "short.csv"), "short.csv:2: '' is no time"),
        (("search", "plain=new", "f.parquet", "--since", "noon"), "--since: 'noon' is no time"),
    ],
)
def test_what_is_wrong_is_one_line(
    cli: Cli, arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    features(Path("f.parquet"))
    Path("wrong.csv").write_text("name,when\na,1\n")
    Path("late.csv").write_text("name,time\na,1\nb,noon\n")
    Path("short.csv").write_text("name,time\na\n")
    result = cli("indexes", *arguments)
    assert result.code == 2
    assert message in result.err
    assert result.err.count("error:") == 1
    assert not Path("new").exists()


def test_an_index_of_a_package_of_ours_that_is_not_installed_names_the_package(cli: Cli, tmp_path: Path) -> None:
    result = cli("indexes", "search", f"lancedb={tmp_path}", features(tmp_path / "f.parquet"))
    assert result.code == 3
    assert "'lancedb' is in the package reidctl-lancedb, which is not installed" in result.err
    assert "pip install reidctl-lancedb" in result.err


@pytest.mark.slow
def test_plugins_check_takes_an_index_through_its_contract(cli: Cli) -> None:
    result = cli("plugins", "check", "plain", "--json")
    row = json.loads(result.out)["plugins"][0]
    assert (row["kind"], row["status"], row["problem"]) == ("index", "ok", "")
    assert [step["name"] for step in row["steps"]] == ["import", "build", "contract", "timing"]
