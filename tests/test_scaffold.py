"""A written plugin package passes its own tests, is found at once, and keeps the contract of its kind."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reidctl.conformance import Question, examine
from reidctl.errors import ConfigError, ExistsError
from reidctl.scaffold import KINDS, write_package
from reidctl.types import Spec
from tests.conftest import Cli, Packages


def test_new_packages_pass_their_own_tests(tmp_path: Path) -> None:
    """In one process, which imports PyTorch once; the parts are called as variables and modules of their code are."""
    names = {"model": "model", "dataset": "data", "loss": "torch", "transform": "image", "runtime": "np"}
    written = {kind: write_package(f"reidctl-{names.get(kind, 'typer')}", kind, tmp_path) for kind in KINDS}
    packages = list(written.values())
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, *packages],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, packages)), "OMP_NUM_THREADS": "1"},
    )
    assert ended.returncode == 0, ended.stdout
    passed = Counter(line.split("/")[0] for line in ended.stdout.splitlines() if line.startswith("PASSED"))
    assert passed == {f"PASSED {package.name}": 3 if kind == "runtime" else 2 for kind, package in written.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_package_shows_up_at_once(packages: Packages, tmp_path: Path, cli: Cli, kind: str) -> None:
    _installed(packages, tmp_path, kind)
    rows = json.loads(cli("plugins", "list", "--json").out)["plugins"]
    assert [(row["kind"], row["name"], row["package"], row["status"]) for row in rows] == [
        (kind, "mine", "reidctl-mine", "ok")
    ]
    assert "reidctl_mine" not in sys.modules
    if kind == "command":
        assert "From reidctl-mine 1.2." in cli("--help").out


def test_new_packages_keep_the_contracts_of_their_kinds(packages: Packages, tmp_path: Path) -> None:
    for kind in KINDS:
        _installed(packages, tmp_path, kind, f"my-{kind}")
    for name in ("train/0_0_a", "query/7_0_a", "gallery/7_1_a"):
        path = tmp_path / "my_dataset" / f"{name}.jpg"
        path.parent.mkdir(parents=True)
        Image.new("RGB", (64, 128)).save(path)
    file = tmp_path / "net.my_runtime"
    with file.open("wb") as opened:
        np.savez(opened, weights=np.eye(4, 3), size=(32, 16))
    lacking = examine([Question(kind, Spec(name=f"my_{kind}")) for kind in ("dataset", "runtime")], 300)
    assert [(report.status, report.steps[-1].name) for report in lacking] == [("incomplete", "build")] * 2
    reports = examine([Question(kind, Spec(name=f"my_{kind}"), tmp_path, file) for kind in KINDS], 300)
    assert [report.problem for report in reports] == [""] * len(KINDS)
    middle = {"model": ["contract", "onnx", "openvino"]}
    for report in reports:
        kind = report.question.kind
        expected = ["contract"] if kind == "command" else ["build", *middle.get(kind, ["contract"]), "timing"]
        assert [step.name for step in report.steps] == ["import", *expected]
        assert {step.outcome for step in report.steps} == {"ok"}


def _installed(packages: Packages, folder: Path, kind: str, name: str = "reidctl-mine") -> None:
    """Write a package and put it where Python sees it as installed."""
    written = write_package(name, kind, folder)
    points = tomllib.loads((written / "pyproject.toml").read_text())["project"]["entry-points"]
    assert points.pop("reidctl.api") == {"version": "v1"}
    ((group, parts),) = points.items()
    named = {part: target.rpartition(":")[2] for part, target in parts.items()}
    module = next(iter(parts.values())).partition(":")[0]
    packages.add(name, {group.removeprefix("reidctl."): named}, (written / f"{module}.py").read_text())
    shutil.rmtree(written)


def test_an_existing_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "work.py").write_text("precious")
    with pytest.raises(ExistsError):
        write_package("mine", "loss", tmp_path)
    assert (tmp_path / "mine" / "work.py").read_text() == "precious"


@pytest.mark.parametrize("name", ["", "-x", "a b", "../x", "é", "reidctl", "json", "reidctl-class", "reidctl-2x"])
def test_a_name_that_is_no_package_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="is no package name"):
        write_package(name, "loss", tmp_path)


def test_the_name_of_a_part_that_is_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="reidctl has a loss named 'triplet' already"):
        write_package("reidctl-triplet", "loss", tmp_path)


def test_a_mistyped_kind_suggests_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        write_package("mine", "modl", tmp_path)
    assert caught.value.hint == "did you mean 'model'?"
