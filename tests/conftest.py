"""What every test may use."""

import importlib
import logging
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from reidctl import plugins
from reidctl import registry as registries
from reidctl.cli.app import build, globals_first
from reidctl.cli.boundary import guarded
from reidctl.cli.output import output

if TYPE_CHECKING:
    from tests.runtimes.artefacts import Real

# Property tests are judged by what they find, not by how busy the machine is; where changes are judged, by the same
# examples each time.
settings.register_profile(
    "unhurried",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)
settings.load_profile("unhurried")


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


Cli = Callable[..., Result]


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the person who runs the tests steers what is tested."""
    for name in os.environ:
        if name.startswith("REIDCTL_") and name != "REIDCTL_TEST_DATA":
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_COLOR", "1")
    # `-P` sets it for child processes; set here, it is put back after the test.
    monkeypatch.setenv("REIDCTL_PLUGIN_FILES", "")


@contextmanager
def log_put_back() -> Iterator[None]:
    """After the block the library logs as before, whatever commands ran in it."""
    logger = logging.getLogger("reidctl")
    before = logger.handlers, logger.level, logger.propagate
    try:
        yield
    finally:
        output.configure(quiet=False, no_color=False, debug=False)
        logger.handlers, logger.propagate = before[0], before[2]
        logger.setLevel(before[1])


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Iterator[Cli]:
    """Run `reidctl` with arguments in this process, through the same door as the console script."""

    def run(*arguments: str | Path) -> Result:
        line = globals_first([str(argument) for argument in arguments])
        capsys.readouterr()
        code = guarded(lambda: build(line)(args=line, prog_name="reidctl"))
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    with log_put_back():
        yield run


class Packages:
    """Packages as Python sees installed ones: metadata and one module each, in a folder on its path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.modules: list[str] = []
        folder.mkdir()

    def add(
        self, package: str, parts: Mapping[str, Mapping[str, str]], source: str = "", api: str | None = "v1"
    ) -> Path:
        """Install `package` 1.2 with the module `source` and parts {kinds: {name: attribute}}; the module's file."""
        module = package.replace("-", "_")
        self.modules.append(module)
        file = self.folder / f"{module}.py"
        file.write_text(textwrap.dedent(source), encoding="utf-8")
        info = self.folder / f"{module}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
        lines = ["[reidctl.api]", f"version = {api}"] if api else []
        for kinds, named in parts.items():
            lines += [f"[reidctl.{kinds}]", *(f"{name} = {module}:{target}" for name, target in named.items())]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
        self.look_again()
        return file

    def remove(self, package: str) -> None:
        """What uninstalling does."""
        module = package.replace("-", "_")
        (self.folder / f"{module}.py").unlink()
        shutil.rmtree(self.folder / f"{module}-1.2.dist-info")
        self.look_again()

    def look_again(self) -> None:
        """Forget what this process found installed."""
        registries._installed.cache_clear()
        registries._api_versions.cache_clear()
        plugins.fault_of.cache_clear()
        for registry in registries.REGISTRIES:
            for name in ("declared", "entries"):
                vars(registry).pop(name, None)
        for module in self.modules:
            sys.modules.pop(module, None)
        importlib.invalidate_caches()


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Packages]:
    """Packages for this process and those that it starts, gone after the test; here they are the only ones."""
    found = Packages(tmp_path / "site")

    def ours_and_theirs() -> EntryPoints:
        groups = ["reidctl.api", *(registry.group for registry in registries.REGISTRIES)]
        points = [point for group in groups for point in entry_points(group=group) if point.dist]
        homes = {point.dist.name: Path(str(point.dist.locate_file(""))) for point in points if point.dist}
        known = {name for name, home in homes.items() if name == "reidctl" or home == found.folder}
        return EntryPoints(point for point in points if point.dist and point.dist.name in known)

    monkeypatch.setattr(registries, "entry_points", ours_and_theirs)
    found.look_again()
    monkeypatch.syspath_prepend(str(found.folder))
    monkeypatch.setenv("PYTHONPATH", str(found.folder))
    yield found
    monkeypatch.undo()
    found.look_again()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real images and published networks; skips where nobody has put one."""
    folder = os.environ.get("REIDCTL_TEST_DATA")
    if not folder:
        pytest.skip("REIDCTL_TEST_DATA names no folder with real images and networks")
    return Path(folder)


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> "Real":
    """A network and what the commands exported from it."""
    from tests.runtimes.artefacts import make_real

    return make_real(tmp_path_factory)
