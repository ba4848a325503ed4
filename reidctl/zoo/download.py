"""Fetch published files: resumed where they broke off, checked before they take their name."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from reidctl.errors import InputError
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
    """Fetch one file to `target`; a partial `.part` file beside it is continued."""
    if target.is_file() and _difference(file, target) is None:
        return target
    part = target.with_name(f"{target.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        _receive(file.url, part, progress)
    except urllib.error.HTTPError as error:
        raise InputError(f"{file.url}: the server answers {error.code} {error.reason}") from error
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        reason = getattr(error, "reason", error)
        raise InputError(
            f"{file.url}: cannot be fetched: {reason}",
            f"connect and call again ({target.name} continues where it stopped), or put the file at {target}",
        ) from error
    wrong = _difference(file, part)
    if wrong:
        part.unlink()
        raise InputError(
            f"{file.url}: not the published file: {wrong}", "call again; if it stays so, the publisher changed it"
        )
    os.replace(part, target)
    return target


def _receive(url: str, part: Path, progress: Progress | None) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        return  # Everything had arrived before; the checksum decides.
    with answer, part.open("ab" if answer.status == http.client.PARTIAL_CONTENT else "wb") as file:
        received, expected = 0, answer.headers.get("Content-Length")
        while block := answer.read(BLOCK):
            file.write(block)
            received += len(block)
            if progress:
                progress(len(block))
    if expected is not None and received < int(expected):
        raise http.client.IncompleteRead(b"", int(expected) - received)


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
