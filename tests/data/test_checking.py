"""The look at every image before a run: nothing that cannot be decoded gets past it, nothing sound is refused."""

import os
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import reidctl.data.checking
from reidctl.data.checking import bad_images, parallel, problem_of
from reidctl.data.images import ImageError, read_image
from reidctl.data.problems import Problem
from reidctl.types import Sample


def _photo(path: Path, **options: object) -> Path:
    noise = np.random.default_rng(0).integers(0, 256, (48, 24, 3), np.uint8)
    Image.fromarray(noise).save(path, **options)  # type: ignore[arg-type]
    return path


def _sample(path: Path) -> Sample:
    return Sample(path, path.stem, 0, 0)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("checking")


def _judges_as_decoding_does(path: Path) -> None:
    expected = None
    try:
        read_image(path)
    except ImageError as error:
        expected = Problem(error.kind, str(path), error.reason)
    assert problem_of(path) == expected


@given(share=st.floats(0, 1), suffix=st.sampled_from([".jpg", ".png", ".gif", ".bmp", ".webp"]))
def test_a_file_cut_anywhere_is_judged_as_decoding_judges_it(workplace: Path, share: float, suffix: str) -> None:
    whole = _photo(workplace / f"whole{suffix}").read_bytes()
    path = workplace / f"short{suffix}"
    path.write_bytes(whole[: int(share * len(whole))])
    _judges_as_decoding_does(path)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"exif": b"Exif\0\0" + b"x" * 60_000}, {"quality": 1}])
def test_sound_photographs_pass_without_being_decoded(
    tmp_path: Path, options: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _photo(tmp_path / "a.jpg", **options)

    def refuse(_: Path) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(reidctl.data.checking, "read_image", refuse)
    assert problem_of(path) is None


def test_what_follows_the_end_of_a_photograph_does_no_harm(tmp_path: Path) -> None:
    path = _photo(tmp_path / "a.jpg")
    content = path.read_bytes()
    for tail in (b"\0" * 40, b"camera 7", b"\0" * 100_000):
        path.write_bytes(content + tail)
        assert problem_of(path) is None


def test_a_photograph_of_more_than_one_read_is_looked_at_to_its_end(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)
    path = tmp_path / "large.jpg"
    Image.fromarray(noise).save(path, quality=95)
    assert path.stat().st_size > 2**17
    assert problem_of(path) is None
    path.write_bytes(path.read_bytes()[:-1000])
    found = problem_of(path)
    assert found is not None
    assert found.kind == "truncated"


def test_a_photograph_that_claims_to_be_huge_is_refused(tmp_path: Path) -> None:
    path = _photo(tmp_path / "bomb.jpg")
    content = bytearray(path.read_bytes())
    frame = content.index(b"\xff\xc0")
    content[frame + 5 : frame + 9] = b"\xff\xdc\xff\xdc"  # 65,500 × 65,500
    path.write_bytes(content)
    found = problem_of(path)
    assert found is not None
    assert found.kind == "too large"


def test_every_bad_file_is_listed_once_and_sound_ones_are_not(tmp_path: Path) -> None:
    good = [_photo(tmp_path / f"good{n}.jpg") for n in range(300)]
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "notes.jpg").write_text("to do")
    (tmp_path / "folder.jpg").mkdir()
    flat = _photo(tmp_path / "flat.png")
    content = bytearray(flat.read_bytes())
    content[len(content) // 2] ^= 0xFF  # its checksum no longer fits
    flat.write_bytes(content)
    names = ["empty", "notes", "folder", "missing"]
    bad = [tmp_path / f"{name}.jpg" for name in names] + [flat]
    drawn = Sample(lambda: Image.new("RGB", (1, 1)), "drawn", 0, 0)
    found = bad_images([drawn, *map(_sample, [*good, *bad, *bad])])
    kinds = {path.stem: problem.kind for path, problem in found.items()}
    assert kinds == {
        "empty": "empty",
        "notes": "no image",
        "folder": "unreadable",
        "missing": "missing",
        "flat": "damaged",
    }


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes in folders")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe.jpg"
    os.mkfifo(path)
    answers: list[object] = []
    thread = threading.Thread(target=lambda: answers.append(problem_of(path)), daemon=True)
    thread.start()
    thread.join(10)
    assert len(answers) == 1
    assert "neither a file nor a link" in str(answers[0])


@given(count=st.integers(0, 700))
def test_results_come_in_order_and_progress_adds_up(count: int) -> None:
    steps: list[int] = []
    assert list(parallel(lambda n: n * n, range(count), steps.append)) == [n * n for n in range(count)]
    assert sum(steps) == count


def test_a_huge_flat_picture_is_refused_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    rows = zlib.compress(b"\0" * 1250 * 9000)
    header = (9000).to_bytes(4) + (9000).to_bytes(4) + bytes([1, 0, 0, 0, 0])

    def chunk(name: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4) + name + content + zlib.crc32(name + content).to_bytes(4)

    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    found = problem_of(path)
    assert found is not None
    assert found.kind == "too large"


def test_damage_in_the_middle_of_a_photograph_shows_when_it_is_decoded_only(tmp_path: Path) -> None:
    path = _photo(tmp_path / "a.jpg")
    whole = path.read_bytes()
    middle = len(whole) * 3 // 4
    path.write_bytes(whole[:middle] + b"\xff\xda" + whole[middle + 2 :])
    assert bad_images([_sample(path)]) == {}
    assert bad_images([_sample(path)], decoded=True)[path].kind == "damaged"
