import json
from pathlib import Path

import pytest

from reidctl.cli.compare import complete_results
from tests.conftest import Cli
from tests.report.test_comparison import row, run_folder


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    one = run_folder(tmp_path / "one", [row(1, **{"a.mAP": 0.5})], seed=1)
    return one, run_folder(tmp_path / "two", [row(1, **{"a.mAP": 0.6})], seed=2)


def test_runs_stand_side_by_side_and_the_best_is_marked(cli: Cli, runs: tuple[Path, Path]) -> None:
    result = cli("compare", *runs)
    assert result.code == 0, result.err
    lines = [line.split() for line in result.out.splitlines()]
    assert ["a.mAP", "50.00%", "60.00%", "*"] in lines
    assert ["seed", "1", "2"] in lines
    assert ["metric", "one", "two"] in lines
    assert not [line for line in lines if line[:1] == ["train.epochs"]]


def test_the_same_configuration_is_said_to_be_so(cli: Cli, runs: tuple[Path, Path]) -> None:
    result = cli("compare", runs[0], runs[0])
    assert "Their configurations are the same." in result.out
    assert "*" not in result.out


def test_json_has_the_results_and_the_differences(cli: Cli, runs: tuple[Path, Path]) -> None:
    found = json.loads(cli("compare", *runs, "--json").out)
    assert found["schema"] == "reidctl.compare/1"
    assert [result["metrics"] for result in found["results"]] == [{"a.mAP": 0.5}, {"a.mAP": 0.6}]
    assert found["differences"] == {"seed": [1, 2]}


def test_one_alone_is_refused(cli: Cli, runs: tuple[Path, Path]) -> None:
    result = cli("compare", runs[0])
    assert result.code == 2
    assert result.err.startswith("error: one result compares with nothing\n")


def test_what_is_not_there_is_one_line(cli: Cli, runs: tuple[Path, Path], tmp_path: Path) -> None:
    result = cli("compare", runs[0], tmp_path / "none")
    assert result.code == 2
    assert result.err.startswith(f"error: {tmp_path / 'none'}: no such run, report or file\n")


def test_the_shell_completes_folders_and_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "result.json").touch()
    (tmp_path / "readme.md").touch()
    monkeypatch.chdir(tmp_path)
    assert complete_results("r") == ["result.json", "runs/"]
