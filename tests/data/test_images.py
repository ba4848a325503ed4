"""Reading pictures: the reference's pixels, and one clear error for every broken file."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reidctl.data.images import load_array, read_image
from reidctl.errors import InputError
from reidctl.types import ImageSpec, Sample

PARITY = Path(__file__).parents[1] / "parity"


class Drawn:
    def __call__(self) -> Image.Image:
        return Image.new("L", (20, 40), 77)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "0001_c1.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (128, 64, 3), np.uint8)
    Image.fromarray(noise).save(path)
    return path


def test_a_picture_is_resized_as_the_reference_resizes_it(tmp_path: Path) -> None:
    expected = np.load(PARITY / "transforms_subset.npz")
    path = tmp_path / "source.png"
    Image.fromarray(expected["source"]).save(path)
    found = load_array(Sample(path, "source", 0, 0), ImageSpec(height=256, width=128))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected["preprocess.resized_u8"])


def test_shrinking_averages_the_pixels_it_merges(tmp_path: Path) -> None:
    rows = np.zeros((64, 32, 3), np.uint8)
    rows[::4] = 200  # one row of the four that become one
    path = tmp_path / "lines.png"
    Image.fromarray(rows).save(path)
    found = load_array(Sample(path, "lines", 0, 0), ImageSpec(height=16, width=16))
    assert np.abs(found[1:-1].astype(int) - 50).max() <= 1


def test_a_picture_of_the_right_size_is_left_alone(photo: Path) -> None:
    with Image.open(photo) as image:
        expected = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(load_array(Sample(photo, "a", 0, 0), ImageSpec(height=128, width=64)), expected)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1", "LA"])
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "image.tif"
    Image.new("RGB", (16, 32), (255, 255, 255)).convert(mode).save(path)
    image = read_image(path)
    assert (image.mode, image.size, image.getpixel((3, 3))) == ("RGB", (16, 32), (255, 255, 255))


def test_orientation_tags_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "turned.jpg"
    image = Image.new("RGB", (16, 32))
    exif = Image.Exif()
    exif[274] = 6
    image.save(path, exif=exif)
    assert read_image(path).size == (16, 32)


def test_a_drawn_picture_is_drawn() -> None:
    image = read_image(pickle.loads(pickle.dumps(Drawn())))
    assert (image.mode, image.getpixel((0, 0))) == ("RGB", (77, 77, 77))


def test_the_file_is_closed_after_reading(photo: Path) -> None:
    image = read_image(photo)
    photo.unlink()
    assert np.asarray(image).shape == (128, 64, 3)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.jpg: no such image"):
        read_image(tmp_path / "gone.jpg")


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".gif", ".tif", ".bmp", ".webp"])
def test_a_file_cut_short_is_named(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"short{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (128, 64, 3), np.uint8)
    Image.fromarray(noise).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=rf"short\{suffix}: cannot be read") as caught:
        read_image(path)
    assert caught.value.hint


@pytest.mark.parametrize(
    "content", [b"", b"no image at all", b"\xff\xd8\xff\xe0" + b"\0" * 50, b"\x89PNG\r\n\x1a\n" + b"\0" * 60]
)
def test_a_file_that_is_no_image_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.jpg"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"notes\.jpg: cannot be read"):
        read_image(path)


def test_a_folder_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_image(tmp_path)
