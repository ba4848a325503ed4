"""What the demo is asked to do, before it does it."""

from __future__ import annotations

from pathlib import Path

import pytest

from reidctl.config import RunConfig
from reidctl.errors import InputError
from tests.conftest import Cli


def test_everything_is_made_in_the_folder_whatever_its_name(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[RunConfig] = []

    def seen(config: RunConfig, steps: object) -> Path:
        asked.append(config)
        raise InputError("seen")

    monkeypatch.setattr("reidctl.cli.demo._train", seen)
    for name in ("demo #2", "{demo}", "0267", "null"):
        monkeypatch.chdir(tmp_path)
        assert cli("demo", "-o", name, "--set", "runs=elsewhere").err == "error: seen\n"
        assert (asked[-1].runs, asked[-1].run_name) == (Path(name), "run")


def test_without_a_test_there_is_no_demo(cli: Cli, tmp_path: Path) -> None:
    refused = cli("demo", "-o", tmp_path / "demo", "--set", "data.targets=[]")
    assert refused.code == 2
    assert refused.err.startswith("error: data.targets: the demo has nothing to test on\n")
    assert list(tmp_path.iterdir()) == []
