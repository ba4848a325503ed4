"""The page in a real browser, opened from disk."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from reidctl.report import TargetReport, write_page

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--enable-logging=stderr", "--log-level=0", "--virtual-time-budget=2000"),
)
LATEST_S = 300

USER = """
<script>{
  const press = text => [...document.querySelectorAll("button")].find(one => one.textContent === text).click();
  press("Best first");
  const filter = document.querySelector("input[type=search]");
  filter.value = "cam 1";
  filter.dispatchEvent(new Event("input"));
}</script>
"""


@pytest.fixture(scope="module")
def browser() -> str:
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if not found:
        pytest.skip("no Chromium here to open the page with; `make browser` installs Debian's")
    return found


@pytest.fixture(scope="module")
def text(report: TargetReport, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "index.html"
    write_page(path, "net", [report])
    return path.read_text(encoding="utf-8")


def opened(browser: str, text: str, folder: Path) -> tuple[str, list[str]]:
    """The document after its scripts ran, and what they complained of."""
    page = folder / "page.html"
    page.write_text(text, encoding="utf-8")
    ended = subprocess.run(
        [browser, *FLAGS, f"--user-data-dir={folder / 'profile'}", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=LATEST_S,
        check=True,
    )
    return ended.stdout, [line for line in ended.stderr.splitlines() if "CONSOLE" in line]


def precisions(document: str) -> list[float]:
    """AP of the cards that are to be seen, in their order."""
    cards = re.findall(r"<article ([^>]*)>", document)
    shown = [card for card in cards if "hidden" not in card]
    return [float(re.search(r'data-precision="(.*?)"', card).group(1)) for card in shown]  # type: ignore[union-attr]


def test_the_script_sorts_and_counts_without_complaint(browser: str, text: str, tmp_path: Path) -> None:
    document, complaints = opened(browser, text, tmp_path)
    assert complaints == []
    assert 'data-ready="true"' in document
    assert 'data-sorted="precision 1"' in document
    assert "<output>32 queries</output>" in document
    assert precisions(document) == sorted(precisions(document))


def test_the_reader_can_sort_and_filter(browser: str, text: str, report: TargetReport, tmp_path: Path) -> None:
    document, complaints = opened(browser, text.replace("</body>", f"{USER}</body>"), tmp_path)
    assert complaints == []
    wanted = [row for row in report.shown if report.query.samples[row].camera == 0]  # c1
    expected = sorted((float(report.ranking.average_precision[row]) for row in wanted), reverse=True)
    assert precisions(document) == pytest.approx(expected)
    assert f"<output>{len(wanted)} of 32 queries</output>" in document


def test_a_complaint_would_be_heard(browser: str, text: str, tmp_path: Path) -> None:
    document, complaints = opened(browser, text.replace('"use strict";', '"use strict"; nowhere();'), tmp_path)
    assert 'data-ready="true"' not in document
    assert "nowhere is not defined" in complaints[0]


def test_one_data_set_is_shown_at_a_time(browser: str, report: TargetReport, tmp_path: Path) -> None:
    write_page(tmp_path / "two.html", "net", [report, replace(report, name="other")])
    text = (tmp_path / "two.html").read_text(encoding="utf-8")
    press = '<script>document.querySelector("nav button:last-child").click();</script>'
    for user, hidden in (("", [False, True]), (press, [True, False])):
        document, complaints = opened(browser, text.replace("</body>", f"{user}</body>"), tmp_path)
        assert complaints == []
        assert ["hidden" in tag for tag in re.findall(r"<main ([^>]*)>", document)] == hidden
