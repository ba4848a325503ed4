"""`embed` and `search` together, on a network that gives the mean colour of an image."""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reidctl.retrieval.features import Features
from tests.conftest import Cli
from tests.runtimes.artefacts import SMALL, colour_info, colour_onnx, mean_colours

TOLD = ("--input", "rgb,normalized")
PEOPLE = "{name: synthetic, train_identities: 2, test_identities: 3, cameras: 2, images_per_camera: 2}"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "net").mkdir()
    return colour_onnx(tmp_path / "net" / "colour.onnx", info=colour_info())


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Eleven pictures of one colour each, of the size that the network takes."""
    folder = tmp_path / "images"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(11):
        color = tuple(int(value) for value in random.integers(0, 256, 3))
        Image.new("RGB", (SMALL.width, SMALL.height), color).save(folder / f"{number:02d}.png")
    return folder


def arrays(folder: Path) -> np.ndarray:
    return np.stack([np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))])


def test_embeddings_are_those_of_the_network_in_both_formats(
    cli: Cli, model: Path, images: Path, tmp_path: Path
) -> None:
    for name in ("f.parquet", "f.npy"):
        result = cli("embed", images, "-m", model, "-o", tmp_path / name, "--json")
        assert result.code == 0, result.err
        assert json.loads(result.out)["rows"] == json.loads(result.out)["embedded"] == 11
        found = Features.open([tmp_path / name]).embeddings()
        np.testing.assert_allclose(found.vectors, mean_colours(arrays(images)), rtol=1e-4, atol=1e-4)
        assert [sample.name for sample in found.samples] == [f"{number:02d}" for number in range(11)]
    again = cli("embed", images, "-m", model, "-o", tmp_path / "f.parquet")
    assert (again.code, again.err.count("\n")) == (2, 2)
    assert "f.parquet is already there" in again.err


def test_shards_are_searched_together_with_the_model_that_made_them(
    cli: Cli, model: Path, images: Path, tmp_path: Path
) -> None:
    shards = [tmp_path / f"{shard}.parquet" for shard in (1, 2, 3)]
    for number, shard in enumerate(shards, start=1):
        assert cli("embed", images, "-m", model, "-o", shard, "--shard", f"{number}/3").code == 0
    assert cli("embed", images, "-m", model, "-o", tmp_path / "all.parquet").code == 0
    whole, joined = Features.open([tmp_path / "all.parquet"]).embeddings(), Features.open(shards).embeddings()
    np.testing.assert_array_equal(joined.vectors, whole.vectors)
    assert joined.samples == whole.samples
    by_image = json.loads(cli("search", images / "04.png", *shards, "-k", "4", "--json").out)["results"]
    assert (by_image[0]["rank"], by_image[0]["name"]) == (1, "04")
    assert by_image[0]["distance"] == 0
    assert [row["distance"] for row in by_image] == sorted(row["distance"] for row in by_image)
    for query in (f"{shards[1]}:04", f"{tmp_path / 'all.parquet'}:4"):
        assert json.loads(cli("search", query, *shards, "-k", "4", "--json").out)["results"] == by_image
    assert " -0" not in cli("search", images, *shards).out


def test_a_model_that_moved_is_named_and_another_one_refused(
    cli: Cli, model: Path, images: Path, tmp_path: Path
) -> None:
    path = tmp_path / "f.parquet"
    assert cli("embed", images, "-m", model, "-o", path).code == 0
    moved = shutil.move(model, tmp_path / "moved.onnx")
    lost = cli("search", images / "00.png", path)
    assert lost.code == 2
    assert "name it with --model where it is now" in lost.err
    assert cli("search", images / "00.png", path, "-m", moved).code == 0
    other = colour_onnx(tmp_path / "other.onnx", weight=np.ones((3, 4), np.float32), info=colour_info())
    for line in (
        ("search", images / "00.png", path, "-m", other),
        ("embed", images, "--append", "-m", other, "-o", path),
    ):
        refused = cli(*line)
        assert (refused.code, refused.err.count("\n")) == (2, 2)
        assert "weights_sha256" in refused.err


def test_what_a_foreign_file_takes_is_remembered(cli: Cli, images: Path, tmp_path: Path) -> None:
    foreign = colour_onnx(tmp_path / "foreign.onnx")
    path = tmp_path / "f.parquet"
    assert cli("embed", images, "-m", foreign, "-o", path, "--input", "bgr,raw").code == 0
    result = cli("search", images / "03.png", path, "-k", "1", "--json")
    assert json.loads(result.out)["results"][0]["distance"] == 0
    refused = cli("search", images / "03.png", path, "-m", foreign, *TOLD)
    assert refused.code == 2


def test_a_gallery_grows_and_its_people_are_known(cli: Cli, model: Path, images: Path, tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    assert cli("embed", "-m", model, "-d", PEOPLE, "-o", path).code == 0
    grown = cli("embed", images, "--append", "-m", model, "-o", path, "--json")
    assert json.loads(grown.out) | {"file": ""} == {
        "schema": "reidctl.embed/2",
        "file": "",
        "rows": 23,
        "dim": 4,
        "embedded": 11,
        "resumed": 0,
        "before": 12,
        "already_there": 0,
        "skipped": [],
    }
    again = cli("embed", images, "--append", "-m", model, "-o", path)
    assert "11 images were already there" in again.err
    results = json.loads(cli("search", f"{path}:0", path, "-k", "2", "--json").out)["results"]
    assert results[0]["identity"] is not None


def test_bad_images_and_cut_files_are_one_line(cli: Cli, model: Path, images: Path, tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    (images / "05.png").write_bytes(b"\x89PNG")
    stopped = cli("embed", images, "-m", model, "-o", path)
    assert (stopped.code, stopped.err.count("\n")) == (2, 2)
    assert "05.png: cannot be read" in stopped.err
    assert "--on-bad-image skip" in stopped.err
    skipped = cli("embed", images, "-m", model, "-o", path, "--on-bad-image", "skip", "--json")
    assert "1 bad image skipped" in skipped.err
    assert [Path(bad["path"]).name for bad in json.loads(skipped.out)["skipped"]] == ["05.png"]
    path.write_bytes(path.read_bytes()[:-100])
    cut = cli("search", images / "00.png", path)
    assert (cut.code, cut.err.count("\n")) == (2, 2)
    assert "cannot be read as a feature file" in cut.err


def test_what_was_found_is_drawn(
    cli: Cli, model: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f.parquet"
    assert cli("embed", images, "-m", model, "-o", path).code == 0
    shown: list[Image.Image] = []
    monkeypatch.setattr(Image.Image, "show", lambda self: shown.append(self))
    monkeypatch.setenv("DISPLAY", ":0")
    one = cli("search", images / "01.png", path, "--picture", tmp_path / "one.png", "--show")
    assert one.code == 0, one.err
    assert Image.open(tmp_path / "one.png").size == shown[0].size
    assert cli("search", images / "01.png", path, "--picture", tmp_path / "one.png").code == 2
    assert cli("search", images, path, "--picture", tmp_path / "many.png").code == 2
    assert cli("search", images, path, "--picture", tmp_path / "many", "-k", "2").code == 0
    assert len(list((tmp_path / "many").glob("*.png"))) == 11
    (tmp_path / "many" / "07.png").write_text("mine")
    again = cli("search", images / "07.png", path, "--picture", tmp_path / "many")
    assert (again.code, again.out) == (2, "")
    assert "07.png is already there" in again.err
    assert (tmp_path / "many" / "07.png").read_text() == "mine"
    assert cli("search", images / "07.png", path, "--picture", tmp_path / "many", "--force").code == 0


def test_two_queries_of_one_name_are_not_drawn_over_each_other(
    cli: Cli, model: Path, images: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    Image.open(images / "00.png").save(other / "00.png")
    path = tmp_path / "f.parquet"
    assert cli("embed", images, "-m", model, "-o", path).code == 0
    assert cli("embed", other, "-m", model, "-o", path, "--append").code == 0
    refused = cli("search", path, path, "--picture", tmp_path / "many")
    assert (refused.code, refused.out) == (2, "")
    assert "two queries are named '00'" in refused.err


def test_what_keeps_the_recorded_model_from_opening_is_told(
    cli: Cli, model: Path, images: Path, tmp_path: Path
) -> None:
    path = tmp_path / "f.parquet"
    assert cli("embed", images, "-m", model, "-o", path).code == 0
    refused = cli("search", images / "00.png", path, "--device", "nowhere")
    assert refused.code == 2
    assert "finds no device 'nowhere' here" in refused.err
    assert "there are: CPU" in refused.err


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every file's name is Unicode")
@pytest.mark.parametrize("name", ["f.parquet", "f.npy"])
def test_a_file_name_that_is_not_utf_8_is_one_line(
    cli: Cli, model: Path, images: Path, tmp_path: Path, name: str
) -> None:
    shutil.copy(images / "00.png", os.fsencode(images) + b"/\xff.png")
    refused = cli("embed", images, "-m", model, "-o", tmp_path / name)
    assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 2), refused.err
    assert r"\udcff.png" in refused.err
    assert "UTF-8" in refused.err


def test_a_threshold_says_who_has_no_match(cli: Cli, model: Path, images: Path, tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    assert cli("embed", images, "-m", model, "-o", path, "--shard", "1/2").code == 0
    result = cli("search", images, path, "--threshold", "0.000001", "--json")
    found = json.loads(result.out)
    assert {row["query"] for row in found["results"]} == {f"{number:02d}" for number in range(5)}
    assert found["without"] == [f"{number:02d}" for number in range(5, 11)]


@pytest.mark.parametrize(
    "line",
    [
        ("embed", "images", "-m", "net", "-o", "f.txt"),
        ("embed", "-m", "net"),
        ("embed", "images", "-m", "net", "-o", "f.parquet", "--append", "--force"),
        ("search", "images", "f.parquet"),
        ("search", "f.parquet:99", "f.parquet"),
    ],
)
def test_what_cannot_be_done_is_refused(
    cli: Cli, model: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = cli(*line)
    assert (refused.code, refused.err.count("\n")) == (2, 2), refused.err


def test_faiss_that_is_not_there_is_an_extra(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reidctl.retrieval.faiss_index.find_spec", lambda name: None)
    result = cli("search", tmp_path / "a.png", tmp_path / "f.parquet", "--faiss")
    assert result.code == 3
    assert "pip install 'reidctl[search]'" in result.err
