"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from reidctl.errors import ExistsError

NO_LOCK = -1


def refuse_existing(path: Path, force: bool) -> None:
    """Raise ExistsError when `path` is there and may not be replaced."""
    if path.exists() and not force:
        raise ExistsError(f"{path} is already there", "give another path, or --force to replace it")


def require_writable(path: Path) -> None:
    """Raise the OSError, with the name of `path`, that writing it would end in: before a long job, and not after it."""
    try:
        folder = next(place for place in path.absolute().parents if place.exists())
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=folder):
            pass
    except OSError as error:
        error.filename = str(path)
        raise


@contextmanager
def only_writer(folder: Path, otherwise: str = "write another file") -> Iterator[None]:
    """Make `folder`, and keep other processes out of blocks for the same one; what is left empty of it vanishes.

    ExistsError where another process is in such a block; otherwise: what to do instead of waiting. A killed one is out
    of it, whatever it started. Where the system or the disk has no such locks, nothing is kept out.
    """
    made = [folder, *(above for above in folder.parents if not above.exists())]
    lock = None
    while lock is None:
        folder.mkdir(parents=True, exist_ok=True)
        lock = _locked(folder, otherwise)
    try:
        yield
    finally:
        with suppress(OSError):
            for place in made:
                place.rmdir()
        lock.release()


class _Lock:
    """What keeps others out. Processes forked meanwhile let go of it, so that it ends with the one that took it."""

    def __init__(self, descriptor: int) -> None:
        from multiprocessing.util import register_after_fork

        self._descriptor = descriptor
        register_after_fork(self, _Lock.release)

    def release(self) -> None:
        if self._descriptor != NO_LOCK:
            os.close(self._descriptor)


def _locked(folder: Path, otherwise: str) -> _Lock | None:
    """The lock, or what stands for it where there are none; None where another process has just taken the folder."""
    try:
        import fcntl
    except ImportError:
        return _Lock(NO_LOCK)
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if folder.exists() and os.path.samestat(os.fstat(descriptor), folder.stat()):
            return _Lock(descriptor)
    except BlockingIOError:
        os.close(descriptor)
        raise ExistsError(
            f"{folder}: another process is writing there", f"wait until it has ended, or {otherwise}"
        ) from None
    except OSError:
        os.close(descriptor)
        return _Lock(NO_LOCK)
    os.close(descriptor)
    return None


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Within the block, the OSError of a disk without space names `path`."""
    try:
        yield
    except OSError as error:
        if is_full(error):
            error.filename = str(path)
        raise


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name when the block ends well and vanishes when it does not.

    The caller makes a file or a folder there. Folders on the way to `path` are created. A folder is replaced by a
    folder alone: IsADirectoryError where a file would take its place.
    The OSError of a disk without space for it names `path`.
    """
    workplace = None
    try:
        with naming(path):
            if path.parent.is_file():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path.parent))
            path.parent.mkdir(parents=True, exist_ok=True)
            workplace = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
            temporary = workplace / path.name
            yield temporary
            if path.is_dir() and not path.is_symlink():
                _replace_folder(path, temporary, workplace / "replaced")
            else:
                os.replace(temporary, path)
    finally:
        if workplace:
            shutil.rmtree(workplace, ignore_errors=True)


def _replace_folder(folder: Path, new: Path, aside: Path) -> None:
    """Put `new` in the place of `folder`, which is there again where that fails."""
    if new.is_file():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(folder))
    os.replace(folder, aside)
    try:
        os.replace(new, folder)
    except BaseException:
        os.replace(aside, folder)
        raise


def is_full(error: OSError) -> bool:
    """Whether a disk, or what one may use of it, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def remove_unfinished(folder: Path) -> None:
    """Remove what `replacing` left of outputs in `folder` when its process was killed."""
    for left in folder.glob(".*"):
        if left.is_dir() and left.name[1:].rpartition(".")[0]:
            shutil.rmtree(left, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
