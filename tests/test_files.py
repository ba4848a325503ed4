"""Outputs are there whole or not at all."""

import os
from multiprocessing import get_context
from pathlib import Path

import pytest

from reidctl.errors import ExistsError
from reidctl.files import only_writer, refuse_existing, remove_unfinished, replacing, require_writable, write_text


def test_a_file_takes_its_name_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "out.txt"
    with replacing(target) as temporary:
        temporary.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    target.write_text("old")

    def break_off() -> None:
        with replacing(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_told_of_the_file_that_was_wanted(tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    target.write_text("old")

    def fill() -> None:
        with replacing(target):
            Path("/dev/full").write_bytes(b"new")

    with pytest.raises(OSError, match="No space left") as caught:
        fill()
    assert caught.value.filename == str(target)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_only_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    for name in (".last.pt.a1b2c3d4", ".git", "weights"):
        (tmp_path / name).mkdir()
    (tmp_path / ".notes.txt").touch()
    remove_unfinished(tmp_path)
    remove_unfinished(tmp_path / "none")
    assert {path.name for path in tmp_path.iterdir()} == {".git", "weights", ".notes.txt"}


def test_what_cannot_be_written_is_told_of_first_and_what_can_be_leaves_nothing(tmp_path: Path) -> None:
    require_writable(tmp_path / "new" / "deep" / "out.txt")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError) as caught:
        require_writable(tmp_path / "file" / "deep" / "out.txt")
    assert caught.value.filename == str(tmp_path / "file" / "deep" / "out.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(os.name != "posix", reason="folders are locked on POSIX alone")
def test_a_folder_has_one_writer_at_a_time_whoever_comes(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    with only_writer(folder):
        for _ in range(2):
            with pytest.raises(ExistsError, match="parts: another process is writing there"), only_writer(folder):
                raise AssertionError
        assert folder.is_dir()
        (folder / "kept").touch()
    with only_writer(folder):
        (folder / "kept").unlink()
    assert not folder.exists()


@pytest.mark.skipif(os.name != "posix", reason="folders are locked on POSIX alone")
def test_what_a_writer_has_started_keeps_nobody_out_after_it(tmp_path: Path) -> None:
    """Workers outlive a process that is killed by seconds."""
    context, folder = get_context("fork"), tmp_path / "parts"
    begun, over = context.Event(), context.Event()

    def work() -> None:
        begun.set()
        over.wait(60)

    with only_writer(folder):
        (folder / "kept").touch()
        worker = context.Process(target=work)
        worker.start()
        begun.wait(60)
    with only_writer(folder):
        assert worker.is_alive()
        over.set()
        worker.join()
        with pytest.raises(ExistsError), only_writer(folder):
            raise AssertionError


def test_a_writer_that_wrote_nothing_leaves_no_folder_that_was_not_there(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    with only_writer(tmp_path / "kept" / "runs" / "one"):
        assert (tmp_path / "kept" / "runs" / "one").is_dir()
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_folder_replaces_a_folder(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "old").touch()
    with replacing(target) as temporary:
        temporary.mkdir()
        (temporary / "new").touch()
    assert [path.name for path in target.iterdir()] == ["new"]


def test_an_existing_file_is_refused_unless_forced(tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    refuse_existing(target, force=False)
    write_text(target, "x")
    refuse_existing(target, force=True)
    with pytest.raises(ExistsError, match=r"out\.txt is already there"):
        refuse_existing(target, force=False)


def test_a_folder_that_nothing_takes_the_place_of_stays(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "old").touch()
    with pytest.raises(FileNotFoundError), replacing(target):
        pass
    assert [path.name for path in target.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_never_replaces_a_folder(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "old").touch()
    with pytest.raises(IsADirectoryError, match="out"):
        write_text(target, "new")
    assert [path.name for path in target.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [target]
