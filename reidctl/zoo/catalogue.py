"""The published networks that are known by address, size and checksum (`catalogue.yaml`)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from reidctl.config.reader import read_file
from reidctl.errors import UnknownName, suggestion
from reidctl.types import StrictModel
from reidctl.validation import validate


class File(StrictModel):
    """One file of a network: where it goes, where it lies, and how to know that it arrived whole.

    bytes and checksums are None where the publisher states none.
    """

    path: str
    url: str
    bytes: int | None = None
    sha384: str | None = None
    sha256: str | None = None


class Network(StrictModel):
    """A published network."""

    about: str
    licence: str
    files: tuple[File, ...]


@cache
def networks() -> dict[str, Network]:
    """Every known network by name."""
    document = read_file(Path(__file__).with_name("catalogue.yaml"))
    return {name: validate(Network, values, at=name) for name, values in document.values.items()}


def network(name: str) -> Network:
    """The network called `name`; UnknownName suggests the nearest."""
    known = networks()
    if name not in known:
        raise UnknownName(f"no network named '{name}'", suggestion(name, known, "`reidctl zoo list` shows all"))
    return known[name]
