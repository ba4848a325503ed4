import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from reidctl.report import TargetReport, page, write_page
from reidctl.report.thumbnails import SIZE, thumbnail

VOID = {"meta", "link", "img", "input", "br"}
SHAPES = {"circle", "path", "polyline", "rect"}


class Reader(HTMLParser):
    """Refuses tags that do not close in order; keeps every attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SHAPES
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def text(report: TargetReport, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "index.html"
    write_page(path, "a & <b>", [report])
    return path.read_text(encoding="utf-8")


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    return reader


def test_the_page_is_whole_and_names_nothing_outside_of_it(text: str) -> None:
    reader = read(text)
    for tag, name, value in reader.attributes:
        if name in ("src", "href", "srcset", "action", "poster", "data"):
            assert (tag, value.partition(":")[0]) in (("img", "data"), ("link", "data"))
    outside = re.sub(r"data:image/webp;base64,[^\"]*", "", text)
    assert not re.search(r"https?:|//[a-z]|@import|url\(|fetch\(|XMLHttpRequest|import\s", outside)


def test_names_are_escaped(text: str) -> None:
    assert "<h1>a &amp; &lt;b&gt;</h1>" in text
    assert "Market &amp; &lt;co&gt;" in text
    assert "<co>" not in text


def test_every_picture_says_what_it_shows(text: str) -> None:
    reader = read(text)
    pictures = sum(1 for tag, name, _ in reader.attributes if (tag, name) == ("img", "src"))
    words = [value for tag, name, value in reader.attributes if (tag, name) == ("img", "alt")]
    assert len(words) == pictures > 32
    assert all("identity" in word for word in words)
    charts = text.count("<svg")
    assert sum(1 for tag, name, _ in reader.attributes if (tag, name) == ("svg", "aria-label")) == charts == 4


def test_figures_and_intervals_are_those_of_the_analysis(text: str, report: TargetReport) -> None:
    for value in (report.analysis.metrics.mAP, report.analysis.metrics.cmc[1], report.analysis.metrics.mINP):
        assert f"<strong>{100 * value:.1f}</strong>" in text
    interval = report.analysis.intervals["mAP"]
    assert f"{100 * interval.low:.1f} – {100 * interval.high:.1f}" in text
    assert "1 further queries have no match" in text


def test_tiles_are_green_or_red_as_the_ranking_says(text: str, report: TargetReport) -> None:
    strips = text[text.index('<section class="queries">') : text.index("</section>", text.index('class="queries"'))]
    right = sum(int(report.ranking.correct[row].sum()) for row in report.shown)
    assert strips.count('class="tile right"') == right
    assert strips.count('class="tile wrong"') == 10 * len(report.shown) - right
    assert strips.count('class="tile query"') == len(report.shown)


def test_a_page_holds_so_many_galleries_and_says_so(
    report: TargetReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "MOST_GALLERIES", 3)
    write_page(tmp_path / "x.html", "net", [report])
    text = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert text.count("<article") == 3
    assert f"{len(report.shown) - 3} more of the chosen queries are not on this page" in text


def test_several_data_sets_can_be_switched(report: TargetReport, tmp_path: Path) -> None:
    write_page(tmp_path / "x.html", "net", [report, replace(report, name="other")])
    text = (tmp_path / "x.html").read_text(encoding="utf-8")
    read(text)
    assert re.findall(r'<button type="button" data-target="(\d)" aria-pressed="(\w+)">', text) == [
        ("1", "true"),
        ("2", "false"),
    ]


def test_a_thumbnail_is_a_small_webp_of_the_same_shape(tmp_path: Path) -> None:
    Image.new("RGB", (400, 400), (200, 30, 30)).save(tmp_path / "large.png")
    uri = thumbnail(tmp_path / "large.png")
    kind, _, data = uri.partition(",")
    assert kind == "data:image/webp;base64"
    picture = Image.open(io.BytesIO(base64.b64decode(data)))
    assert (picture.format, picture.size) == ("WEBP", (SIZE[0], SIZE[0]))
    assert all(abs(a - b) < 12 for a, b in zip(picture.convert("RGB").getpixel((50, 50)), (200, 30, 30), strict=True))


def test_a_picture_whose_maker_cannot_be_hashed_has_a_thumbnail() -> None:
    class Red(list[int]):
        def __call__(self) -> Image.Image:
            return Image.new("RGB", (8, 16), tuple(self))

    red, blue = thumbnail(Red([200, 0, 0])), thumbnail(Red([0, 0, 200]))
    assert red.startswith("data:image/webp;base64,")
    assert red != blue
