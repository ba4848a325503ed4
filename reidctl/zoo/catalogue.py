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


class Published(StrictModel):
    """Size and cost as the publisher states them: the preset of the same architecture, millions, billions."""

    preset: str
    mparams: float
    gflops: float


class Network(StrictModel):
    """A published network."""

    about: str
    licence: str
    files: tuple[File, ...]
    published: Published | None = None


@cache
def networks() -> dict[str, Network]:
    """Every known network by name."""
    document = read_file(Path(__file__).with_name("catalogue.yaml"))
    return {name: validate(Network, values, at=name) for name, values in document.values.items()}


def published(preset: str) -> tuple[str, Published] | None:
    """The network with the architecture of `preset` and what its publisher states, where there is one."""
    stated = ((name, network.published) for name, network in networks().items())
    return next(((name, found) for name, found in stated if found and found.preset == preset), None)


def network(name: str) -> Network:
    """The network called `name`; UnknownName suggests the nearest."""
    known = networks()
    if name not in known:
        raise UnknownName(f"no network named '{name}'", suggestion(name, known, "`reidctl zoo list` shows all"))
    return known[name]
