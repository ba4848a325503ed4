"""Fetch published files: resumed where they broke off, checked before they take their name."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reidctl.errors import InputError
from reidctl.files import naming
from reidctl.zoo.catalogue import File, network

BLOCK = 1 << 16
TIMEOUT_S = 30

Progress = Callable[[int], None]


def download(name: str, folder: Path, only: str | None = None, progress: Progress | None = None) -> list[Path]:
    """Fetch the files of a network into `folder`/`name`; those already there and whole are kept.

    only limits to paths that begin with it (`FP16`). progress takes the bytes that arrived.
    Raises UnknownName, or InputError where a file cannot be fetched or is not the published one.
    """
    files = [file for file in network(name).files if only is None or file.path.startswith(only)]
    if not files:
        known = ", ".join(file.path for file in network(name).files)
        raise InputError(f"{name} has no file that begins with '{only}'", f"its files: {known}")
    return [fetch(file, folder / name / file.path, progress) for file in files]


def fetch(file: File, target: Path, progress: Progress | None = None) -> Path:
    """Fetch one file to `target`; a partial `.part` file beside it is continued.

    Raises as `download` does, and the OSError of a disk that does not take the file.
    """
    if target.is_file() and _difference(file, target) is None:
        return target
    part = target.with_name(f"{target.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    with naming(target):
        _receive(file, target, part, progress)
    wrong = _difference(file, part)
    if wrong:
        part.unlink()
        raise InputError(
            f"{file.url}: not the published file: {wrong}", "call again; if it stays so, the publisher changed it"
        )
    os.replace(part, target)
    return target


def _receive(file: File, target: Path, part: Path, progress: Progress | None) -> None:
    have = part.stat().st_size if part.exists() else 0
    with _network(file, target):
        answer = _answer(file.url, have)
    if answer is None:
        return  # Everything had arrived before; the checksum decides.
    with answer, part.open("ab" if answer.status == http.client.PARTIAL_CONTENT else "wb") as stream:
        for block in _blocks(answer, file, target):
            stream.write(block)
            if progress:
                progress(len(block))


def _answer(url: str, have: int) -> Any:
    """The server's, for what comes after the bytes that are there; None where that is nothing."""
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        return urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        return None


def _blocks(answer: Any, file: File, target: Path) -> Iterator[bytes]:
    received, expected = 0, answer.headers.get("Content-Length")
    with _network(file, target):
        while block := answer.read(BLOCK):
            received += len(block)
            yield block
        if expected is not None and received < int(expected):
            raise http.client.IncompleteRead(b"", int(expected) - received)


@contextmanager
def _network(file: File, target: Path) -> Iterator[None]:
    """Within the block, what goes wrong on the way from the server is an InputError."""
    try:
        yield
    except urllib.error.HTTPError as error:
        raise InputError(f"{file.url}: the server answers {error.code} {error.reason}") from error
    except (http.client.HTTPException, OSError) as error:
        reason = getattr(error, "reason", error)
        raise InputError(
            f"{file.url}: cannot be fetched: {reason}",
            f"connect and call again ({target.name} continues where it stopped), or put the file at {target}",
        ) from error


def _difference(file: File, path: Path) -> str | None:
    """What tells the file at `path` from the published one; None when nothing does."""
    size = path.stat().st_size
    if file.bytes is not None and size != file.bytes:
        return f"{size} bytes instead of {file.bytes}"
    with path.open("rb") as stream:
        if stream.read(64).lstrip().lower().startswith((b"<!doctype", b"<html")):
            # A file host that wants a confirmation answers 200 with a page.
            return "a web page"
    for algorithm, expected in (("sha384", file.sha384), ("sha256", file.sha256)):
        if expected is not None:
            with path.open("rb") as stream:
                found = hashlib.file_digest(stream, algorithm).hexdigest()
            if found != expected:
                return f"{algorithm} {found[:12]}… instead of {expected[:12]}…"
    return None
