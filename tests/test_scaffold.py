"""A written plugin package passes its own tests and is found."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reidctl.errors import ConfigError, ExistsError
from reidctl.scaffold import KINDS, write_package


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_package_passes_its_own_tests(tmp_path: Path, kind: str) -> None:
    package = write_package("reidctl-mine", kind, tmp_path)
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", package],
        cwd=package,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(package), "OMP_NUM_THREADS": "1"},
    )
    assert ended.returncode == 0, ended.stdout
    assert "2 passed" in ended.stdout


def test_an_existing_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "work.py").write_text("precious")
    with pytest.raises(ExistsError):
        write_package("mine", "loss", tmp_path)
    assert (tmp_path / "mine" / "work.py").read_text() == "precious"


@pytest.mark.parametrize("name", ["", "-x", "a b", "../x", "é"])
def test_a_name_that_is_no_package_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="is no package name"):
        write_package(name, "loss", tmp_path)


def test_a_mistyped_kind_suggests_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        write_package("mine", "modl", tmp_path)
    assert caught.value.hint == "did you mean 'model'?"
