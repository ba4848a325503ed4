from __future__ import annotations

import errno
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import reidctl.data.cache
from reidctl.config.schema import DataConfig
from reidctl.data.cache import ImageCache, PackedImages
from reidctl.data.cache_file import CacheFile
from reidctl.data.images import read_image
from reidctl.data.loader import train_batches
from reidctl.errors import ConfigError, ReidError
from reidctl.types import ImageSpec, ReidData, Sample, Spec

SHAPES = [(40, 20), (24, 16), (1, 1), (64, 32), (30, 45), (24, 16)] * 2


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """JPEG files of several sizes."""
    random, found = np.random.default_rng(0), []
    for number, (height, width) in enumerate(SHAPES):
        path = tmp_path / "images" / f"{number:04d}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
        found.append(Sample(path, path.stem, number // 2, number % 2))
    return found


def shrunk(image: Image.Image) -> Image.Image:
    return image.resize((8, 8), Image.Resampling.BILINEAR)


def tiles(cache: PackedImages, count: int) -> list[bytes]:
    return [cache(index).tobytes() for index in range(count)]


def expected(
    samples: Sequence[Sample], apply: Callable[[Image.Image], Image.Image] = lambda image: image
) -> list[bytes]:
    return [apply(read_image(sample.image)).tobytes() for sample in samples]


@pytest.fixture
def files(tmp_path: Path) -> Callable[[], list[Path]]:
    return lambda: sorted((tmp_path / "cache").iterdir())


def decoded(samples: Sequence[Sample], monkeypatch: pytest.MonkeyPatch, cache: ImageCache) -> tuple[PackedImages, int]:
    """The opened cache and how many images were read for it."""
    count = 0

    def counted(source: Any) -> Image.Image:
        nonlocal count
        count += 1
        return read_image(source)

    with monkeypatch.context() as patched:
        patched.setattr(reidctl.data.cache, "read_image", counted)
        return cache.open(), count


@pytest.mark.parametrize("folder", [None, "cache"])
@pytest.mark.parametrize("apply", [None, shrunk])
def test_a_cache_gives_every_picture_as_it_was_read(
    samples: list[Sample], tmp_path: Path, folder: str | None, apply: Any
) -> None:
    cache = ImageCache(samples, [apply] if apply else [], tmp_path / folder if folder else None)
    assert cache.applied == (1 if apply else 0)
    found = cache.open()
    assert tiles(found, len(samples)) == expected(samples, *([apply] if apply else []))
    assert tiles(pickle.loads(pickle.dumps(found)), len(samples)) == tiles(found, len(samples))


def test_memory_grows_by_blocks(samples: list[Sample], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reidctl.data.cache, "_BLOCK", 3000)
    monkeypatch.setattr(reidctl.data.cache, "_AHEAD", 5)
    assert tiles(ImageCache(samples, [], None).open(), len(samples)) == expected(samples)


def test_drawn_pictures_are_kept_in_memory_and_not_on_disk(tmp_path: Path) -> None:
    samples = [Sample(partial(Image.new, "RGB", (4, 6), (k, 0, 0)), f"s{k}", k, 0) for k in range(3)]
    assert tiles(ImageCache(samples, [], None).open(), 3) == expected(samples)
    with pytest.raises(ConfigError, match="cannot be kept on disk") as caught:
        ImageCache(samples, [], tmp_path)
    assert "memory" in str(caught.value.hint)


def test_a_second_run_decodes_nothing(
    samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: Callable[[], list[Path]]
) -> None:
    for reads in (len(samples), 0):
        found, count = decoded(samples, monkeypatch, ImageCache(samples, [], tmp_path / "cache"))
        assert count == reads
        assert tiles(found, len(samples)) == expected(samples)
    assert len(files()) == 1


def test_other_transforms_and_other_images_have_files_of_their_own(
    samples: list[Sample], tmp_path: Path, files: Callable[[], list[Path]]
) -> None:
    for some, transforms in ((samples, []), (samples, [shrunk]), (samples[1:], [])):
        found = ImageCache(some, transforms, tmp_path / "cache").open()
        assert tiles(found, len(some)) == expected(some, *transforms)
    assert len(files()) == 3


def _edited(path: Path, change: Callable[[bytearray], Any]) -> None:
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(bytes(data))


def _flip(place: float) -> Callable[[bytearray], None]:
    def flip(data: bytearray) -> None:
        index = int(place * (len(data) - 1))
        data[index] ^= 1

    return flip


def _cut(end: int) -> Callable[[bytearray], None]:
    def cut(data: bytearray) -> None:
        del data[end:]

    return cut


@pytest.mark.parametrize("change", [*(_flip(k / 20) for k in range(21)), _cut(-1), _cut(-3000), _cut(10), _cut(0)])
def test_a_file_that_is_damaged_or_cut_short_is_made_anew(
    samples: list[Sample],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: Callable[[], list[Path]],
    change: Callable[[bytearray], Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    cache = ImageCache(samples, [], tmp_path / "cache")
    cache.open()
    [path] = files()
    whole = path.read_bytes()
    _edited(path, change)
    found, count = decoded(samples, monkeypatch, cache)
    assert count == len(samples)
    assert tiles(found, len(samples)) == expected(samples)
    assert path.read_bytes() == whole
    assert "made anew" in caplog.text


def _touched(path: Path) -> None:
    state = path.stat()
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1))


def _redrawn(path: Path) -> None:
    Image.new("RGB", (40, 20), (9, 9, 9)).save(path)


@pytest.mark.parametrize("change", [_touched, _redrawn])
def test_a_file_of_images_that_have_changed_is_replaced(
    samples: list[Sample],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: Callable[[], list[Path]],
    change: Callable[[Path], None],
) -> None:
    cache = ImageCache(samples, [], tmp_path / "cache")
    cache.open()
    change(samples[3].image)  # type: ignore[arg-type]
    found, count = decoded(samples, monkeypatch, cache)
    assert count == len(samples)
    assert tiles(found, len(samples)) == expected(samples)
    assert len(files()) == 1, "the old one is not left lying about"


@pytest.mark.parametrize("version", ["PIL", "torch"])
def test_a_file_of_another_version_of_the_libraries_is_replaced(
    samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    cache = ImageCache(samples, [], tmp_path / "cache")
    cache.open()
    monkeypatch.setattr(f"reidctl.data.cache.{version}.__version__", "0.0")
    assert decoded(samples, monkeypatch, cache)[1] == len(samples)


def test_who_has_a_file_open_keeps_it_while_another_replaces_it(samples: list[Sample], tmp_path: Path) -> None:
    cache = ImageCache(samples, [], tmp_path / "cache")
    found, before = cache.open(), expected(samples)
    _redrawn(samples[0].image)  # type: ignore[arg-type]
    cache.open()
    assert tiles(found, len(samples)) == before


def test_an_image_that_cannot_be_read_leaves_no_file(
    samples: list[Sample], tmp_path: Path, files: Callable[[], list[Path]]
) -> None:
    samples[5].image.write_bytes(b"nothing")  # type: ignore[union-attr]
    with pytest.raises(ReidError, match=r"0005\.jpg"):
        ImageCache(samples, [], tmp_path / "cache").open()
    assert files() == []


@pytest.mark.parametrize(("number", "reason"), [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "cannot be written")])
def test_a_disk_that_takes_no_more_is_named_with_the_key(
    tmp_path: Path, number: int, reason: str, files: Callable[[], list[Path]]
) -> None:
    def pictures() -> Iterator[np.ndarray]:
        yield np.zeros((4, 4, 3), np.uint8)
        raise OSError(number, os.strerror(number))

    with pytest.raises(ConfigError, match=reason) as caught:
        CacheFile(tmp_path / "cache" / "a.images", "k" * 32).write(pictures())
    assert "data.cache_dir" in str(caught.value.hint)
    assert files() == []


def test_memory_that_runs_short_is_an_error(samples: list[Sample], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda path: "MemTotal: 9 kB\nMemAvailable:   100 kB\n")
    with pytest.raises(ConfigError, match="memory is short after 0 of 12 training images") as caught:
        ImageCache(samples, [], None).open()
    assert "data.cache=disk" in str(caught.value.hint)


@pytest.mark.parametrize("cache", ["memory", "disk"])
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    "transforms", [("resize", "random_flip", "random_noise"), ("random_padding", "resize"), ("random_flip",)]
)
def test_batches_are_the_same_with_a_cache_and_any_number_of_workers(
    samples: list[Sample], tmp_path: Path, cache: str, workers: int, transforms: tuple[str, ...]
) -> None:
    def batches(**settings: Any) -> list[torch.Tensor]:
        config = DataConfig(
            image=ImageSpec(height=24, width=16),
            transforms=tuple(Spec(name=name, p=1.0) if name != "resize" else Spec(name=name) for name in transforms),
            sampler="random",
            cache_dir=tmp_path / "cache",
            **settings,
        )
        found = train_batches(ReidData("some", tuple(samples)), config, batch_size=4, seed=3)
        images = [batch.images for epoch in range(2) for batch in found.epoch(epoch)]
        found.close()
        return images

    plain = batches(workers=0)
    assert len(plain) == 6
    assert all(torch.equal(a, b) for a, b in zip(batches(workers=workers, cache=cache), plain, strict=True))
