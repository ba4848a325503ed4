import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from reidctl.data.images import ImageError
from reidctl.data.listing import listed_images
from reidctl.errors import ExistsError, InputError
from reidctl.retrieval import bulk
from reidctl.retrieval.bulk import Plan, embed_to_file
from reidctl.retrieval.features import Features, Made
from reidctl.types import ArtefactInfo, ImageSpec, Sample

ROOT = Path(__file__).parents[2]
INFO = ArtefactInfo(model="colours", image=ImageSpec(height=16, width=16), embedding_dim=3, weights_sha256="aa")
MADE = Made(INFO, "/models/colours.onnx", "f32", "0.1")
BATCH = 4


class Colours:
    """The mean colour of each image; counts the images it sees."""

    info = INFO

    def __init__(self) -> None:
        self.images = 0

    def embed_batch(self, images: Any) -> Any:
        self.images += len(images)
        return images.mean(axis=(1, 2), dtype=np.float32)

    def embed_stream(self, batches: Iterable[Any], done: Callable[[int, Any], None]) -> None:
        for index, images in enumerate(batches):
            assert len(images) == BATCH
            done(index, self.embed_batch(images))


class Backwards(Colours):
    """Is done with three batches at a time, the last one first."""

    def embed_stream(self, batches: Iterable[Any], done: Callable[[int, Any], None]) -> None:
        numbered = enumerate(batches)
        while held := list(itertools.islice(numbered, 3)):
            for index, images in reversed(held):
                done(index, self.embed_batch(images))


class Dying(Colours):
    """Fails after some batches."""

    def __init__(self, batches: int) -> None:
        super().__init__()
        self.left = batches

    def embed_batch(self, images: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return super().embed_batch(images)


def plan(path: Path, **changes: Any) -> Plan:
    return replace(Plan(path, MADE, BATCH, workers=1), **changes)


def pictures(folder: Path) -> tuple[Sample, ...]:
    return listed_images(folder)


def colour(number: int) -> tuple[int, int, int]:
    return number % 256, number // 2 % 256, 255 - number % 256


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """70 pictures of one colour each, whose number is their name."""
    (tmp_path / "images").mkdir()
    for number in range(70):
        Image.new("RGB", (16, 16), colour(number)).save(tmp_path / "images" / f"{number:03d}.png")
    return tmp_path / "images"


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "PART_ROWS", 16)


def content(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.parent.glob(f"{path.stem}.*") if file.is_file()}


@pytest.mark.parametrize("suffix", [".parquet", ".npy"])
@pytest.mark.parametrize("embedder", [Colours, Backwards])
def test_every_image_is_embedded_in_order(folder: Path, tmp_path: Path, suffix: str, embedder: type[Colours]) -> None:
    told: list[int] = []
    found = embed_to_file(embedder(), pictures(folder), plan(tmp_path / f"f{suffix}"), told.append)
    features = Features.open([tmp_path / f"f{suffix}"])
    embeddings = features.embeddings()
    np.testing.assert_array_equal(embeddings.vectors, [colour(number) for number in range(70)])
    assert embeddings.samples == pictures(folder)
    assert (found.rows, found.resumed, found.skipped, sum(told)) == (70, 0, [], 70)
    assert features.made == MADE
    assert not list(tmp_path.glob("*.unfinished"))


@pytest.mark.parametrize("suffix", [".parquet", ".npy"])
@given(batches=st.integers(0, 20))
def test_a_call_that_was_stopped_goes_on_and_ends_with_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, batches: int
) -> None:
    folder = tmp_path_factory.mktemp("stopped")
    samples = [
        Sample(lambda number=number: Image.new("RGB", (16, 16), colour(number)), f"{number}", number, 0)
        for number in range(70)
    ]
    whole, path = folder / "whole" / f"f{suffix}", folder / f"f{suffix}"
    embed_to_file(Colours(), samples, plan(whole))
    if batches < 18:
        with pytest.raises(KeyboardInterrupt):
            embed_to_file(Dying(batches), samples, plan(path))
        assert not path.exists()
        again = Colours()
        found = embed_to_file(again, samples, plan(path))
        assert found.resumed == batches // 4 * 16
        assert again.images == 72 - found.resumed
        assert content(path) == content(whole)


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is a signal of POSIX")
def test_a_call_that_was_killed_goes_on_and_ends_with_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    embed_to_file(Colours(), pictures(folder), plan(tmp_path / "whole" / "f.parquet"))
    path = tmp_path / "f.parquet"
    command = [sys.executable, "-m", "tests.retrieval.bulk_run", str(folder), str(path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    parts = tmp_path / "f.parquet.unfinished"
    deadline = time.monotonic() + 120
    while len(list(parts.glob("*.parquet"))) < 2 and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.005)
    with pytest.raises(ExistsError, match="another process is writing there"):
        embed_to_file(Colours(), pictures(folder), plan(path, force=True))
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not path.exists()
    found = embed_to_file(Colours(), pictures(folder), plan(path))
    assert 32 <= found.resumed < 70
    assert path.read_bytes() == (tmp_path / "whole" / "f.parquet").read_bytes()
    assert not parts.exists()


@pytest.mark.parametrize("left", [0, 100, -1])
def test_a_part_that_is_half_written_is_done_again(folder: Path, tmp_path: Path, left: int) -> None:
    path = tmp_path / "f.parquet"
    with pytest.raises(KeyboardInterrupt):
        embed_to_file(Dying(12), pictures(folder), plan(path))
    part = tmp_path / "f.parquet.unfinished" / "000001.parquet"
    part.write_bytes(part.read_bytes()[:left])
    assert embed_to_file(Colours(), pictures(folder), plan(path)).resumed == 32
    np.testing.assert_array_equal(Features.open([path]).embeddings().vectors, [colour(number) for number in range(70)])


@pytest.mark.parametrize(
    ("changes", "count", "words"),
    [
        ({}, 69, "images, list"),
        ({"made": replace(MADE, arithmetic="bf16")}, 70, "model"),
        ({"batch_size": 8}, 70, "batch size"),
    ],
)
def test_what_another_call_began_is_refused_unless_told(
    folder: Path, tmp_path: Path, changes: dict[str, Any], count: int, words: str
) -> None:
    path = tmp_path / "f.parquet"
    with pytest.raises(KeyboardInterrupt):
        embed_to_file(Dying(8), pictures(folder), plan(path))
    samples = pictures(folder)[:count]
    with pytest.raises(ExistsError, match=f"2 parts of another call: not the same are {words}") as caught:
        embed_to_file(Colours(), samples, plan(path, **changes))
    assert "--force" in (caught.value.hint or "")
    if "batch_size" not in changes:
        assert embed_to_file(Colours(), samples, plan(path, force=True, **changes)).resumed == 0


def test_what_another_call_began_is_removed_where_a_file_grows(folder: Path, tmp_path: Path) -> None:
    path, samples = tmp_path / "f.parquet", pictures(folder)
    embed_to_file(Colours(), samples[:30], plan(path))
    with pytest.raises(KeyboardInterrupt):
        embed_to_file(Dying(5), samples, plan(path, append=True))
    with pytest.raises(ExistsError, match="1 parts of another call") as caught:
        embed_to_file(Colours(), samples[:50], plan(path, append=True))
    assert f"or remove {path}.unfinished to begin anew" in (caught.value.hint or "")


@pytest.mark.parametrize("suffix", [".parquet", ".npy"])
def test_a_call_killed_before_it_cleared_its_parts_is_done(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path, samples = tmp_path / f"f{suffix}", pictures(folder)
    embed_to_file(Colours(), samples[:30], plan(path))
    write = bulk.write_features

    def killed(*given: Any) -> None:
        write(*given)
        raise KeyboardInterrupt

    monkeypatch.setattr(bulk, "write_features", killed)
    with pytest.raises(KeyboardInterrupt):
        embed_to_file(Colours(), samples, plan(path, append=True))
    monkeypatch.setattr(bulk, "write_features", write)
    again = Colours()
    found = embed_to_file(again, samples, plan(path, append=True))
    assert (found.rows, found.already_there, again.images) == (70, 70, 0)
    assert not list(tmp_path.glob("*.unfinished"))


@pytest.mark.parametrize("append", [False, True])
def test_what_is_there_is_refused_unless_told(folder: Path, tmp_path: Path, append: bool) -> None:
    (tmp_path / "f.csv").write_text("mine")
    with pytest.raises(ExistsError, match=r"f\.csv is already there"):
        embed_to_file(Colours(), pictures(folder), plan(tmp_path / "f.npy", append=append))
    assert embed_to_file(Colours(), pictures(folder), plan(tmp_path / "f.npy", force=True)).rows == 70


@pytest.mark.parametrize("shards", [1, 3, 7])
def test_shards_together_are_the_whole(folder: Path, tmp_path: Path, shards: int) -> None:
    samples = pictures(folder)
    for shard in range(shards):
        part = samples[70 * shard // shards : 70 * (shard + 1) // shards]
        embed_to_file(Colours(), part, plan(tmp_path / "shards" / f"{shard}.parquet"))
    joined = Features.open([tmp_path / "shards"]).embeddings()
    np.testing.assert_array_equal(joined.vectors, [colour(number) for number in range(70)])
    assert joined.samples == samples


@pytest.mark.parametrize("suffix", [".parquet", ".npy"])
def test_a_shard_of_fewer_images_than_shards_is_an_empty_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"f{suffix}"
    assert embed_to_file(Colours(), [], plan(path)).rows == 0
    empty = Features.open([path])
    assert (empty.rows, empty.dim, empty.made) == (0, 3, MADE)
    assert not list(tmp_path.glob("*.unfinished"))


@pytest.mark.parametrize("suffix", [".parquet", ".npy"])
def test_a_file_grows_by_what_is_not_in_it(folder: Path, tmp_path: Path, suffix: str) -> None:
    path, samples = tmp_path / f"f{suffix}", pictures(folder)
    embed_to_file(Colours(), samples[:30], plan(path))
    with pytest.raises(KeyboardInterrupt):
        embed_to_file(Dying(5), samples[10:], plan(path, append=True))
    assert Features.open([path]).rows == 30
    found = embed_to_file(Colours(), samples[10:], plan(path, append=True))
    assert (found.rows, found.before, found.already_there, found.resumed) == (70, 30, 20, 16)
    grown = Features.open([path]).embeddings()
    assert grown.samples == samples
    np.testing.assert_array_equal(grown.vectors, [colour(number) for number in range(70)])


def test_only_the_model_that_made_a_file_adds_to_it(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    embed_to_file(Colours(), pictures(folder)[:9], plan(path))
    other = replace(MADE, info=INFO.model_copy(update={"weights_sha256": "bb"}))
    with pytest.raises(InputError, match="was made by another model: weights_sha256 aa / bb"):
        embed_to_file(Colours(), pictures(folder), plan(path, made=other, append=True))
    with pytest.raises(InputError, match="exclude each other"):
        embed_to_file(Colours(), pictures(folder), plan(path, append=True, force=True))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match="cannot be read as a feature file"):
        embed_to_file(Colours(), pictures(folder), plan(path, append=True))


def test_a_bad_image_stops_the_call_or_is_left_out(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    (folder / "037.png").write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"037\.png: cannot be read: not an image"):
        embed_to_file(Colours(), pictures(folder), plan(path))
    found = embed_to_file(Colours(), pictures(folder), plan(path, skip_bad=True))
    assert [Path(problem.where).name for problem in found.skipped] == ["037.png"]
    kept = [number for number in range(70) if number != 37]
    embeddings = Features.open([path]).embeddings()
    np.testing.assert_array_equal(embeddings.vectors, [colour(number) for number in kept])
    assert [sample.name for sample in embeddings.samples] == [f"{number:03d}" for number in kept]


def test_bad_images_of_finished_parts_are_told_again(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    (folder / "005.png").write_bytes(b"")
    with pytest.raises(KeyboardInterrupt):
        embed_to_file(Dying(9), pictures(folder), plan(path, skip_bad=True))
    with pytest.raises(ImageError, match=r"005\.png: cannot be read: the file is empty"):
        embed_to_file(Colours(), pictures(folder), plan(path))
    found = embed_to_file(Colours(), pictures(folder), plan(path, skip_bad=True))
    assert [problem.what for problem in found.skipped] == ["cannot be read: the file is empty"]
    assert (found.rows, found.resumed) == (69, 31)
    assert found.rows == 69


def test_an_embedding_that_is_not_finite_is_refused(folder: Path, tmp_path: Path) -> None:
    class Broken(Colours):
        def embed_batch(self, images: Any) -> Any:
            return np.full((len(images), 3), np.nan, np.float32)

    with pytest.raises(InputError, match="the embedding of '000' is not finite"):
        embed_to_file(Broken(), pictures(folder), plan(tmp_path / "f.parquet"))
    assert not (tmp_path / "f.parquet").exists()


def test_few_pictures_and_embeddings_are_held_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, embedded, most, held = [0], [0], [0], [0]

    def draw() -> Image.Image:
        drawn[0] += 1
        return Image.new("RGB", (16, 16))

    class Watching(Colours):
        def embed_batch(self, images: Any) -> Any:
            time.sleep(0.001)
            most[0] = max(most[0], drawn[0] - embedded[0])
            embedded[0] += len(images)
            return super().embed_batch(images)

    made = bulk._Collected.__init__

    def counted(self: Any, rows: int, dim: int) -> None:
        held.append(len(list((tmp_path / "f.parquet.unfinished").glob("*.parquet"))))
        made(self, rows, dim)

    monkeypatch.setattr(bulk._Collected, "__init__", counted)
    embed_to_file(Watching(), [Sample(draw, f"{i}", 0, 0) for i in range(400)], plan(tmp_path / "f.parquet"))
    # One worker, and four batches ready beside its own and the one that is computed.
    assert most[0] <= BATCH * 7
    # A part is begun when all before it are written.
    assert held[1:] == list(range(25))
    assert embedded == [400]
