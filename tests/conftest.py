"""What every test may use."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from reidctl.cli.app import build, globals_first
from reidctl.cli.boundary import guarded
from reidctl.cli.output import output

# Property tests are judged by what they find, not by how busy the machine is; where changes are judged, by the same
# examples each time.
settings.register_profile(
    "unhurried",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)
settings.load_profile("unhurried")

SAME_LAYERS = frozenset(
    [
        *("osnet_x0_25", "osnet_x0_5", "osnet_x0_75", "osnet_x1_0"),
        *("fpn_osnet_x0_25", "fpn_osnet_x0_5", "fpn_osnet_x0_75", "fpn_osnet_x1_0", "extra_blocks"),
        *("retail-0248", "retail-0265", "retail-0270"),
    ]
)
"""Networks all of whose kinds of layers are in osnet_ibn_x1_0, fpn_osnet_ibn_x1_0 or retail-0267.

What takes seconds for each network, and depends on the kinds of its layers, is left to `make test-all` for these.
"""


def slow_for_same_layers(names: Iterable[str]) -> list[Any]:
    """Test parameters: `names`, those with the layers of another marked as slow."""
    return [pytest.param(name, marks=[pytest.mark.slow] if name in SAME_LAYERS else []) for name in names]


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


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Iterator[Cli]:
    """Run `reidctl` with arguments in this process, through the same door as the console script."""

    def run(*arguments: str | Path) -> Result:
        line = globals_first([str(argument) for argument in arguments])
        capsys.readouterr()
        code = guarded(lambda: build(line)(args=line, prog_name="reidctl"))
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    logger = logging.getLogger("reidctl")
    before = logger.handlers, logger.level, logger.propagate
    yield run
    output.configure(quiet=False, no_color=False, debug=False)
    logger.handlers, logger.propagate = before[0], before[2]
    logger.setLevel(before[1])


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real images and published networks; skips where nobody has put one."""
    folder = os.environ.get("REIDCTL_TEST_DATA")
    if not folder:
        pytest.skip("REIDCTL_TEST_DATA names no folder with real images and networks")
    return Path(folder)
