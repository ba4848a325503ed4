"""Reading pictures: the reference's pixels, and one clear error for every broken file."""

import errno
import pickle
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from reidctl.data.images import MOST_PIXELS, ImageError, load_array, load_arrays, read_image, resized
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


def _tagged(path: Path, orientation: int) -> Path:
    """A picture that looks different in every orientation, with a tag."""
    pixels = np.random.default_rng(1).integers(0, 256, (6, 4, 3), np.uint8)
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(pixels).save(path, exif=exif)
    return path


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_orientation_tags_are_obeyed(tmp_path: Path, suffix: str, orientation: int) -> None:
    path = _tagged(tmp_path / f"turned{suffix}", orientation)
    with Image.open(path) as image:
        expected = ImageOps.exif_transpose(image).convert("RGB")
    np.testing.assert_array_equal(np.asarray(read_image(path)), np.asarray(expected))
    assert read_image(path).size == ((6, 4) if orientation in (5, 6, 7, 8) else (4, 6))


def test_a_camera_on_its_side_gives_an_upright_picture(tmp_path: Path) -> None:
    """By hand: orientation 6 says that the stored picture is to be turned clockwise by a quarter."""
    path = tmp_path / "turned.png"
    exif = Image.Exif()
    exif[274] = 6
    image = Image.new("RGB", (2, 1))
    image.putpixel((0, 0), (255, 0, 0))
    image.save(path, exif=exif)
    assert [read_image(path).getpixel((0, y)) for y in range(2)] == [(255, 0, 0), (0, 0, 0)]


def test_a_damaged_tag_leaves_the_picture_as_it_is_stored(tmp_path: Path) -> None:
    path = _tagged(tmp_path / "turned.jpg", 6)
    content = path.read_bytes()
    place = content.index(b"Exif\0\0") + 6
    path.write_bytes(content[:place] + b"XX" + content[place + 2 :])
    assert read_image(path).size == (4, 6)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm"])
def test_of_sixteen_bits_the_upper_eight_are_kept(tmp_path: Path, suffix: str) -> None:
    """Pillow's own conversion would make everything above 255 white."""
    path = tmp_path / f"deep{suffix}"
    values = np.array([[0, 255, 256, 4095, 32768, 65535]], np.uint16)
    if suffix == ".pgm":
        path.write_bytes(b"P5 6 1 65535\n" + values.astype(">u2").tobytes())
    else:
        Image.fromarray(values).save(path)
    found = np.asarray(read_image(path))
    assert found.shape == (1, 6, 3)
    for channel in range(3):
        assert found[0, :, channel].tolist() == [0, 0, 1, 15, 128, 255]


def test_sixteen_bits_of_grey_and_of_colour_are_as_bright(tmp_path: Path) -> None:
    """A colour PNG of 16 bits is cut to 8 by the decoder itself."""
    values = [0, 255, 256, 4095, 32768, 65535]
    rows = b"\0" + b"".join(3 * value.to_bytes(2) for value in values)

    def chunk(name: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4) + name + content + zlib.crc32(name + content).to_bytes(4)

    header = (6).to_bytes(4) + (1).to_bytes(4) + bytes([16, 2, 0, 0, 0])
    path = tmp_path / "deep.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )
    assert np.asarray(read_image(path))[0, :, 0].tolist() == [0, 0, 1, 15, 128, 255]


@pytest.mark.parametrize(
    ("pixels", "words"),
    [(np.full((2, 2), 0.5, np.float32), "fractions"), (np.full((2, 2), 70000, np.int32), "more than 16 bits")],
)
def test_pixels_of_unknown_brightness_are_refused(tmp_path: Path, pixels: np.ndarray, words: str) -> None:
    path = tmp_path / "odd.tif"
    Image.fromarray(pixels).save(path)
    with pytest.raises(InputError, match=rf"odd\.tif.*{words}"):
        read_image(path)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("suffix", [".png", ".gif"])
def test_a_transparent_palette_keeps_its_colours(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"palette{suffix}"
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    image.save(path, transparency=0 if suffix == ".gif" else b"\0\x80")
    found = read_image(path)
    assert (found.mode, found.getpixel((0, 0)), found.getpixel((1, 0))) == ("RGB", (10, 20, 30), (200, 100, 50))


def test_a_cmyk_photograph_has_its_colours(tmp_path: Path) -> None:
    path = tmp_path / "print.jpg"
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(path, quality=95)  # no cyan, all magenta and yellow: red
    assert np.abs(np.asarray(read_image(path), int) - [255, 0, 0]).max() <= 3


def test_of_an_animation_the_first_picture_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "two.gif"
    frames = [Image.new("RGB", (4, 4), color) for color in ((255, 0, 0), (0, 255, 0))]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert read_image(path).getpixel((1, 1)) == (255, 0, 0)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [8193, 12000, 60000])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path, side: int) -> None:
    """At 60,000 Pillow itself refuses, at 12,000 it would only warn."""
    path = tmp_path / "bomb.png"
    header = side.to_bytes(4) + side.to_bytes(4) + bytes([1, 0, 0, 0, 0])
    Image.new("1", (8, 8)).save(path)
    content = path.read_bytes()
    crc = zlib.crc32(b"IHDR" + header).to_bytes(4)
    path.write_bytes(content[:16] + header + crc + content[33:])
    with pytest.raises(ImageError, match=r"bomb\.png") as caught:
        read_image(path)
    assert caught.value.kind == "too large"


def test_the_largest_picture_is_still_read(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.new("1", (MOST_PIXELS // 64, 64)).save(path)
    assert read_image(path).size == (MOST_PIXELS // 64, 64)


def test_names_beyond_ascii_are_read(tmp_path: Path) -> None:
    path = tmp_path / "Übergang 人物" / "0001_c1_ñ.jpg"
    path.parent.mkdir()
    Image.new("RGB", (4, 8)).save(path)
    assert read_image(path).size == (4, 8)


def test_links_are_followed_and_a_dangling_one_says_so(tmp_path: Path, photo: Path) -> None:
    link = tmp_path / "link.jpg"
    link.symlink_to(photo)
    assert read_image(link).size == (64, 128)
    photo.unlink()
    with pytest.raises(ImageError, match=rf"link\.jpg: a link to {photo}, which is not there"):
        read_image(link)


def test_a_loop_of_links_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to(tmp_path / "b.jpg")
    (tmp_path / "b.jpg").symlink_to(tmp_path / "a.jpg")
    with pytest.raises(ImageError, match="cannot be read"):
        read_image(tmp_path / "a.jpg")


def test_a_file_that_may_not_be_read_is_named(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whoever runs the tests may be root, whom no permission stops: the system's answer is made up.
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(photo))

    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(ImageError, match=rf"{photo.name}: cannot be read: Permission denied"):
        read_image(photo)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "empty"),
        (b"no image at all", "no image"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 50, "damaged"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 60, "damaged"),
        (None, "missing"),
    ],
)
def test_an_error_knows_its_kind_and_survives_a_worker_process(
    tmp_path: Path, content: bytes | None, kind: str
) -> None:
    path = tmp_path / "0001_c1.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ImageError) as caught:
        read_image(path)
    sent = pickle.loads(pickle.dumps(caught.value))
    assert (sent.kind, str(sent), sent.hint) == (kind, str(caught.value), caught.value.hint)
    assert caught.value.kind == kind


def test_a_photograph_cut_short_is_of_that_kind(photo: Path) -> None:
    photo.write_bytes(photo.read_bytes()[:-300])
    with pytest.raises(ImageError) as caught:
        read_image(photo)
    assert caught.value.kind == "truncated"


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


@settings(max_examples=150, deadline=None)
@given(
    source=st.tuples(st.integers(1, 150), st.integers(1, 150)),
    target=st.tuples(*2 * [st.one_of(st.integers(1, 150), st.sampled_from([16, 64, 128, 256]))]),
    seed=st.integers(0, 9),
)
@example(source=(128, 64), target=(256, 128), seed=0)
@example(source=(143, 79), target=(256, 128), seed=0)
@example(source=(255, 127), target=(256, 128), seed=0)
@example(source=(5, 3), target=(1024, 2048), seed=0)
def test_a_picture_is_resized_to_the_pixels_of_pillow(
    source: tuple[int, int], target: tuple[int, int], seed: int
) -> None:
    image = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*source, 3), dtype=np.uint8))
    expected = image.resize(target[::-1], Image.Resampling.BILINEAR)
    found = resized(image, target)
    assert (found.mode, found.size) == ("RGB", target[::-1])
    assert found.tobytes() == expected.tobytes()


@settings(max_examples=25)
@given(
    st.lists(
        st.sampled_from([(128, 64), (256, 128), (100, 30), (300, 140), (7, 200), (64, 64)]), min_size=1, max_size=9
    ),
    st.sampled_from([(256, 128), (128, 64), (300, 120)]),
    st.integers(0, 1000),
)
def test_several_pictures_get_the_pixels_that_each_gets_alone(
    sizes: list[tuple[int, int]], size: tuple[int, int], seed: int
) -> None:
    random = np.random.default_rng(seed)
    images = [Image.fromarray(random.integers(0, 256, (*each, 3), np.uint8)) for each in sizes]
    found = load_arrays(images, ImageSpec(height=size[0], width=size[1]))
    expected = [np.asarray(image.resize(size[::-1], Image.Resampling.BILINEAR)) for image in images]
    np.testing.assert_array_equal(found, expected)
