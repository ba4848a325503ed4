"""Every command and program that the documentation shows, run: `make test-docs`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import REPOSITORY, blocks, pages
from tests.docs.running import Ran, run_page
from tests.docs.stand_ins import SHORT, STAND_INS, VARIABLES

RUN = [page for page in pages() if any(block.is_run for block in blocks(page)) and page.name != "plugins.md"]
"""The tutorial installs packages: test_tutorial.py gives it an environment of its own."""


def _page(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


@pytest.mark.docs
@pytest.mark.parametrize("page", RUN, ids=_page)
def test_the_commands_of_a_page_run(page: Path, tmp_path: Path) -> None:
    for make in STAND_INS.get(page.name, []):
        make(tmp_path)
    ran = run_page(page, tmp_path, VARIABLES.get(page.name, SHORT))
    if page.name == "deploy.md":
        _require_one_distance(ran)


def _require_one_distance(ran: list[Ran]) -> None:
    """The Python and the C++ program of the page find the same distance, and reidctl itself one that is near."""
    outputs = {name: next(each.out for each in ran if name in each.block.code) for name in ("reid.py", "./reid")}
    theirs = [float(text.split()[0]) for text in outputs.values()]
    ours = float(outputs["reid.py"].split()[-2])
    assert theirs[0] == pytest.approx(theirs[1], abs=1e-4)
    assert ours == pytest.approx(theirs[0], abs=0.01)
