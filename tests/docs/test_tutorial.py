"""The tutorial for plugins, followed to the letter: `make test-tutorial`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import REPOSITORY, blocks
from tests.docs.running import run_page
from tests.docs.stand_ins import SHORT
from tests.environments import fresh_environment

PAGE = REPOSITORY / "docs" / "plugins.md"
PACKAGE = REPOSITORY / "plugins" / "reidctl-tutorial"

OFFLINE = {
    "PIP_NO_INDEX": "1",
    "PIP_NO_DEPS": "1",
    "PIP_NO_BUILD_ISOLATION": "0",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}
"""Dependencies and hatchling are those of the environment beside it; 0 is how pip spells --no-build-isolation."""


def test_the_package_is_what_the_tutorial_shows() -> None:
    shown = {block.file: block.code for block in blocks(PAGE) if block.file and block.file.startswith(PACKAGE.name)}
    there = {
        f"{PACKAGE.name}/{path.relative_to(PACKAGE)}": path.read_text(encoding="utf-8")
        for path in [PACKAGE / "pyproject.toml", *PACKAGE.glob("reidctl_tutorial/*.py"), *PACKAGE.glob("tests/*.py")]
    }
    assert shown == there


@pytest.mark.docs
def test_the_tutorial_runs_in_a_fresh_environment(tmp_path: Path) -> None:
    python = fresh_environment(tmp_path / "environment", with_pip=True)
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "-e", REPOSITORY]
    subprocess.run([python, *install], check=True)
    work = tmp_path / "work"
    work.mkdir()
    ran = run_page(PAGE, work, {**SHORT, **OFFLINE}, python)
    listings = [step.out for step in ran if "reidctl plugins list" in step.block.code]
    assert "reidctl-first" in listings[0]
    assert "disabled" in listings[1]
    uninstalled, listed = listings[-1].split("kind ", 1)
    assert "Successfully uninstalled reidctl-tutorial-0.1.0" in uninstalled
    assert "reidctl-" not in listed
