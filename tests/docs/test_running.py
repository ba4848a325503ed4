"""Every command and program that the documentation shows, run: `make test-docs`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import REPOSITORY, blocks, pages
from tests.docs.running import run_page
from tests.docs.stand_ins import SHORT, STAND_INS, VARIABLES

RUN = [page for page in pages() if any(block.is_run for block in blocks(page))]


def _page(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


@pytest.mark.docs
@pytest.mark.parametrize("page", RUN, ids=_page)
def test_the_commands_of_a_page_run(page: Path, tmp_path: Path) -> None:
    for make in STAND_INS.get(page.name, []):
        make(tmp_path)
    run_page(page, tmp_path, VARIABLES.get(page.name, SHORT))
