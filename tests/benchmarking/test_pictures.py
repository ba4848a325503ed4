from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
from PIL import Image

from reidctl.benchmarking.pictures import MOST, files_of, loaded, loading, ready
from reidctl.data.images import load_array
from reidctl.types import Sample
from tests.runtimes.artefacts import SMALL, pictures


@pytest.fixture
def files(tmp_path: Path) -> tuple[Sample, ...]:
    found = []
    for index, image in enumerate(pictures(5, 40, 20)):
        Image.fromarray(image).save(tmp_path / f"{index}.png")
        found.append(Sample(tmp_path / f"{index}.png", str(index), index, 0))
    return tuple(found)


@pytest.mark.parametrize("start", ["frames", "jpeg"])
@pytest.mark.parametrize("ahead", [0, 2])
def test_batches_hold_the_pictures_as_a_network_takes_them(files: tuple[Sample, ...], start: str, ahead: int) -> None:
    before = perf_counter()
    with ThreadPoolExecutor(2) as pool:
        found = list(islice(loaded(*loading(start, files, SMALL), 3, pool, ahead), 4))
    expected = [load_array(files[index % 5], SMALL) for index in range(12)]
    assert np.array_equal(np.concatenate([images for _, images in found]), np.stack(expected))
    begun = [when for when, _ in found]
    assert begun == sorted(begun)
    assert before <= begun[0]


def test_frames_are_decoded_before_and_files_on_the_way(files: tuple[Sample, ...]) -> None:
    frames, from_frame = loading("frames", files, SMALL)
    paths, from_file = loading("jpeg", files, SMALL)
    for sample in files:
        assert isinstance(sample.image, Path)
        sample.image.unlink()
    assert from_frame(frames[0]).shape == (*SMALL.size, 3)
    with pytest.raises(Exception, match="no such image"):
        from_file(paths[0])


def test_what_is_ready_is_the_same_array_every_time() -> None:
    (_, first), (_, second) = islice(ready((32, 16), 4), 2)
    assert first is second
    assert (first.shape, first.dtype) == ((4, 32, 16, 3), np.uint8)


def test_pictures_that_are_drawn_become_jpeg_files(tmp_path: Path) -> None:
    drawn = [Sample(partial(Image.new, "RGB", (8, 16), (200, 0, 0)), f"red-{index}", 0, 0) for index in range(3)]
    found = files_of(drawn, tmp_path)
    assert [sample.image for sample in found] == [tmp_path / f"red-{index}.jpg" for index in range(3)]
    with Image.open(tmp_path / "red-0.jpg") as image:
        assert (image.format, image.size) == ("JPEG", (8, 16))


def test_files_are_taken_as_they_are_and_not_too_many(files: tuple[Sample, ...], tmp_path: Path) -> None:
    assert files_of(files, tmp_path) == files
    many = [Sample(tmp_path / f"{index}.jpg", str(index), index, 0) for index in range(3 * MOST)]
    assert files_of(many, tmp_path) == tuple(many[::3])
