"""The demo, whole: what the README promises of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from reidctl.cli.demo import demo
from reidctl.config import RunConfig


@pytest.mark.slow
def test_a_retail_network_learns_to_find_people_in_the_demo(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "reidctl", "demo", "--output", tmp_path / "demo", "--seconds", "0.5", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    # Raw pixels stay below 0.4: tests/datasets/test_synthetic.py.
    assert found["metrics"]["rank1"] > 0.7
    steps = {row["step"]: row for row in found["steps"]}
    assert list(steps) == [
        *("train", "evaluate", "rank galleries", "export ONNX", "export IR", "verify", "benchmark IR"),
    ]
    assert all(Path(row["path"]).is_file() for row in found["steps"] if row["path"])
    assert all(row["fps"] > 0 for row in found["bench"])


def test_an_earlier_demo_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    ended = subprocess.run(
        [sys.executable, "-m", "reidctl", "demo", "--output", tmp_path / "demo"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert "is already there" in ended.stderr


@pytest.mark.parametrize(("has", "precision"), [(True, "bf16"), (False, "f32")])
def test_the_demo_trains_in_what_the_machine_is_quick_at(
    has: bool, precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Started(Exception):
        pass

    def start(config: RunConfig, steps: object) -> Path:
        assert config.train.precision == precision
        raise Started

    monkeypatch.setattr("reidctl.training.device.has_bf16", lambda device: has)
    monkeypatch.setattr("reidctl.cli.demo._train", start)
    with pytest.raises(Started):
        demo(tmp_path / "demo")
