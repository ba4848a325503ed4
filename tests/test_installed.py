"""What packages declare is read as importlib.metadata reads it, from wherever it does."""

from __future__ import annotations

import importlib.metadata
import os.path
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

import pytest

from reidctl.installed import EntryPoint, entry_points, normalized, package_of

POINTS = "[reidctl.api]\nversion = v1\n\n[reidctl.losses]\nring = acme.ring:Ring\n[console_scripts]\nacme = acme:main\n"


def described(points: Iterator[Any]) -> list[tuple[str, ...]]:
    return sorted((p.group, p.name, p.value, *package_of(p.dist)) for p in points)


def by_the_library() -> list[tuple[str, ...]]:
    groups = [group for group in importlib.metadata.entry_points().groups if group.startswith("reidctl.")]
    return described(point for group in groups for point in importlib.metadata.entry_points(group=group))


def metadata(name: str, version: str = "1.2") -> str:
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: x\n\nVersion: of the text\n"


def write(info: Path, name: str, points: str = POINTS, version: str = "1.2", file: str = "METADATA") -> None:
    info.mkdir(parents=True)
    (info / file).write_text(metadata(name, version), encoding="utf-8")
    (info / "entry_points.txt").write_text(points, encoding="utf-8")


def of(name: str) -> list[tuple[str, str, str]]:
    return sorted((p.group, p.name, p.value) for p in entry_points() if package_of(p.dist)[0] == name)


ACME = [("reidctl.api", "version", "v1"), ("reidctl.losses", "ring", "acme.ring:Ring")]


def test_what_is_installed_here_is_what_the_library_finds() -> None:
    found = described(entry_points())
    assert ("reidctl.models", "osnet_x1_0", "reidctl.models.osnet:osnet_x1_0") in {point[:3] for point in found}
    assert found == by_the_library()


@pytest.mark.parametrize(
    ("info", "file"),
    [("Acme.Ring-1.2.dist-info", "METADATA"), ("acme_ring-1.2-py3.11.egg-info", "PKG-INFO")],
)
def test_a_folder_of_metadata_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, info: str, file: str) -> None:
    write(tmp_path / info, "acme-ring", file=file)
    # What has no metadata, and what is no folder.
    (tmp_path / "bare-1.0.dist-info").mkdir()
    (tmp_path / "old-1.0.egg-info").write_text(metadata("old"))
    monkeypatch.syspath_prepend(str(tmp_path))
    assert of("acme-ring") == ACME
    assert described(entry_points()) == by_the_library()


def test_of_packages_of_one_name_the_first_on_the_path_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "back" / "acme_ring-1.2.dist-info", "acme-ring")
    write(tmp_path / "front" / "Acme.Ring-1.3.dist-info", "acme-ring", "[reidctl.losses]\nhoop = acme:Hoop\n", "1.3")
    monkeypatch.syspath_prepend(str(tmp_path / "back"))
    monkeypatch.syspath_prepend(str(tmp_path / "front"))
    assert of("acme-ring") == [("reidctl.losses", "hoop", "acme:Hoop")]
    assert described(entry_points()) == by_the_library()


def test_a_first_one_without_parts_hides_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "back" / "acme_ring-1.2.dist-info", "acme-ring")
    write(tmp_path / "front" / "acme_ring-1.3.dist-info", "acme-ring", "[console_scripts]\nacme = acme:main\n")
    monkeypatch.syspath_prepend(str(tmp_path / "back"))
    monkeypatch.syspath_prepend(str(tmp_path / "front"))
    assert of("acme-ring") == []
    assert described(entry_points()) == by_the_library()


def test_an_archive_on_the_path_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "acme.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("acme_ring-1.2.dist-info/METADATA", metadata("acme-ring"))
        file.writestr("acme_ring-1.2.dist-info/entry_points.txt", POINTS)
    monkeypatch.syspath_prepend(str(archive))
    assert of("acme-ring") == ACME
    assert described(entry_points()) == by_the_library()


def test_a_folder_that_is_an_egg_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "acme_ring-1.2-py3.11.egg" / "EGG-INFO", "acme-ring", file="PKG-INFO")
    monkeypatch.syspath_prepend(str(tmp_path / "acme_ring-1.2-py3.11.egg"))
    assert of("acme-ring") == ACME


def test_a_finder_of_somebodys_own_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "acme_ring-1.2.dist-info", "acme-ring")

    class Finder:
        @staticmethod
        def find_spec(name: str, path: Any = None, target: Any = None) -> None:
            return None

        @staticmethod
        def find_distributions(context: Any) -> Iterator[importlib.metadata.Distribution]:
            return iter([importlib.metadata.PathDistribution(tmp_path / "acme_ring-1.2.dist-info")])

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])
    assert of("acme-ring") == ACME


def test_a_path_of_nothing_but_oddities_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "acme_ring-1.2.dist-info", "acme-ring")
    monkeypatch.setattr(sys, "path", ["", str(tmp_path / "nowhere"), "\0", tmp_path / "no text"])
    assert of("acme-ring") == ACME


def test_lines_that_declare_nothing_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "# a comment\n\n[reidctl.losses]\n  ring=acme:Ring [extra]\n# other = acme:Other\n[other]\nx = y:z\n"
    write(tmp_path / "acme_ring-1.2.dist-info", "acme-ring", text)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert of("acme-ring") == [("reidctl.losses", "ring", "acme:Ring [extra]")]


@pytest.mark.parametrize("value", ["os.path:join", "os.path : join [extra]", "os:path.join", "os.path", "os.path [x]"])
def test_a_point_loads_what_the_librarys_loads(value: str) -> None:
    ours, theirs = EntryPoint("n", value, "reidctl.x"), importlib.metadata.EntryPoint("n", value, "reidctl.x")
    assert ours.load() is theirs.load() in (os.path, os.path.join)
    assert ours.module == theirs.module


@pytest.mark.parametrize("value", ["", "os:nothing", "no_such_module:x", ":x"])
def test_what_is_not_there_is_an_error(value: str) -> None:
    with pytest.raises((ImportError, AttributeError, ValueError)):
        EntryPoint("n", value, "reidctl.x").load()


def test_the_version_is_that_of_the_head() -> None:
    package = next(point.dist for point in entry_points() if point.name == "osnet_x1_0")
    assert package_of(package) == ("reidctl", importlib.metadata.version("reidctl"))
    assert package_of(None) == ("unknown package", "?")
    assert normalized(" Acme._Ring ") == "acme-ring"


def test_a_listing_does_without_the_library() -> None:
    # Of this process, pytest has imported it already, and finders of its own beside.
    program = (
        "import sys; from reidctl.registry import models; models.names(); "
        "sys.exit('importlib.metadata' in sys.modules or 'email' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    assert PathFinder in sys.meta_path
