"""`reidctl plugins`, what limits which packages are loaded, and parts of a module that is no package."""

import json
import sys
from pathlib import Path

import pytest

from reidctl.cli.plugins import _spec
from reidctl.errors import ConfigError
from tests.conftest import Cli, Packages, Result

RING = """
from typing import Annotated
from annotated_types import Gt
from pydantic import Field
from torch import nn

class Ring(nn.Module):
    \"\"\"Embeddings lie on a sphere.\"\"\"
    def __init__(self, radius: Annotated[float, Gt(0), Field(description="of the sphere")]):
        super().__init__()
        self.radius = radius

    def forward(self, embeddings, labels):
        return (embeddings.square().sum(dim=1).clamp(min=1e-12).sqrt() - self.radius).square().mean()
"""

MODULE = f"{RING}\nPLUGINS = {{'losses': {{'ring': Ring}}}}\n"


def rows(result: Result) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(result.out)["plugins"]
    return found


def test_the_list_tells_the_status_of_each_part_without_importing_any(
    packages: Packages, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "raise SystemExit('imported')"
    packages.add("acme-fine", {"losses": {"fine": "Ring"}}, source)
    packages.add("acme-gone", {"losses": {"gone": "Ring"}}, source).unlink()
    packages.add("acme-torn", {"losses": {"torn": "Ring"}}, "class Ring(:")
    packages.add("acme-next", {"losses": {"next": "Ring"}}, source, api="v2")
    packages.add("acme-off", {"losses": {"off": "Ring"}}, source)
    monkeypatch.setenv("REIDCTL_PLUGINS", "acme-fine, acme_gone,Acme.Torn,acme-next")
    found = {row["package"]: (row["status"], row["problem"]) for row in rows(cli("plugins", "list", "--json"))}
    assert found == {
        "acme-fine": ("ok", ""),
        "acme-gone": ("broken", "there is no module acme_gone"),
        "acme-torn": ("broken", "acme_torn does not compile: invalid syntax (acme_torn.py, line 1)"),
        "acme-next": ("API 2", "this is API 1"),
        "acme-off": ("disabled", "left out by REIDCTL_PLUGINS"),
    }


def test_a_module_inside_a_package_is_looked_for_without_importing_the_package(packages: Packages, cli: Cli) -> None:
    inner = packages.folder / "acme_deep"
    inner.mkdir()
    (inner / "__init__.py").write_text("raise SystemExit('imported')")
    (inner / "rings.py").write_text("raise SystemExit('imported')")
    packages.add("acme-deep-rings", {"losses": {"deep": "Ring", "deeper": "Ring"}})
    points = packages.folder / "acme_deep_rings-1.2.dist-info" / "entry_points.txt"
    points.write_text(
        points.read_text()
        .replace("deep = acme_deep_rings", "deep = acme_deep.rings")
        .replace("deeper = acme_deep_rings", "deeper = acme_deep.spheres")
    )
    packages.look_again()
    found = {row["name"]: row["problem"] for row in rows(cli("plugins", "list", "--json"))}
    assert found == {"deep": "", "deeper": "there is no module acme_deep.spheres"}


@pytest.mark.parametrize(("stated", "known"), [("none", False), ("acme-other", False), ("", True), ("acme_ring", True)])
def test_the_environment_limits_which_packages_are_loaded(
    packages: Packages, cli: Cli, monkeypatch: pytest.MonkeyPatch, stated: str, known: bool
) -> None:
    monkeypatch.setenv("REIDCTL_PLUGINS", stated)
    packages.add("acme-ring", {"losses": {"ring": "Ring"}, "commands": {"ring": "Ring"}}, RING)
    asked = cli("losses", "info", "ring")
    assert (asked.code == 0) is known
    assert ("acme_ring" in sys.modules) is known
    assert (" ring " in cli("--help").out) is known
    assert cli("losses", "info", "triplet").code == 0
    if not known:
        for kind, result in (("loss", asked), ("command", cli("ring"))):
            assert result.code == 2
            assert result.err == (
                f"error: no {kind} named 'ring'\nhint:  REIDCTL_PLUGINS leaves out acme-ring, which offers it\n"
            )


def test_a_package_of_ours_that_is_left_out_is_not_said_to_be_missing(
    packages: Packages, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REIDCTL_PLUGINS", "none")
    packages.add("reidctl-metric-learning", {"losses": {"pml/*": "pml"}})
    asked = cli("losses", "info", "pml/TripletMarginLoss")
    assert (asked.code, "REIDCTL_PLUGINS leaves out reidctl-metric-learning" in asked.err) == (2, True)
    checked = cli("plugins", "check", "pml/TripletMarginLoss")
    assert (checked.code, checked.err.splitlines()[0]) == (2, "error: reidctl-metric-learning is disabled")


def test_parameters_of_a_check_are_set_as_those_of_a_run_are() -> None:
    spec = _spec("{name: ring, inner: {radius: 1}}", ["inner.sides=[2, 3]", "inner.radius=0.5"])
    assert spec.parameters == {"inner": {"radius": 0.5, "sides": [2, 3]}}
    with pytest.raises(ConfigError, match="--set radius: not key=value"):
        _spec("ring", ["radius"])


def test_a_package_that_nobody_installed_is_told_of(
    packages: Packages, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages.add("acme-ring", {"losses": {"ring": "Ring"}}, RING)
    monkeypatch.setenv("REIDCTL_PLUGINS", "acme-rign")
    words = "REIDCTL_PLUGINS names acme-rign, and no installed plugin package is called so"
    assert cli("plugins", "list").err == f"warning: {words}\n"
    monkeypatch.setenv("REIDCTL_PLUGINS_STRICT", "1")
    refused = cli("plugins", "list")
    assert (refused.code, refused.err) == (3, f"error: {words}\nhint:  did you mean 'acme-ring'?\n")


@pytest.mark.slow
def test_a_check_that_needs_a_parameter_says_so_and_takes_it(packages: Packages, cli: Cli) -> None:
    packages.add("acme-ring", {"losses": {"ring": "Ring"}}, RING)
    lacking = cli("plugins", "check", "ring", "--json")
    assert lacking.code == 0
    (row,) = rows(lacking)
    assert (row["status"], row["problem"]) == ("incomplete", "build: needs radius: --set radius=…")
    assert rows(cli("plugins", "check", "{name: acme-ring:ring, radius: 2}", "--json"))[0]["status"] == "ok"
    table = cli("plugins", "check", "acme-ring", "--set", "radius=-1")
    assert table.code == 1
    assert table.err == (
        "error: 1 of 1 parts do not work, the first: loss 'ring' from acme-ring 1.2: build: loss 'ring'.radius: "
        "should be greater than 0 (got -1)\n"
    )
    assert "loss ring · acme-ring 1.2 (acme_ring:Ring): broken" in table.out


def test_a_part_that_kills_its_process_costs_the_others_nothing(packages: Packages, cli: Cli) -> None:
    packages.add("acme-crash", {"losses": {"a_crash": "Ring", "b_ring": "Ring"}}, "import os; os.abort()")
    packages.add("acme-ring", {"losses": {"ring": "Ring"}}, RING.replace('="of the sphere")]', '="")] = 1.0'))
    checked = cli("plugins", "check", "acme-crash", "--json")
    assert checked.code == 1
    assert [row["problem"] for row in rows(checked)] == ["import: the process died of SIGABRT"] * 2
    assert rows(cli("plugins", "check", "ring", "--json"))[0]["status"] == "ok"


def test_a_logger_that_is_told_all_that_loggers_are_told_is_whole(packages: Packages, cli: Cli) -> None:
    methods = "".join(f"    def {name}: pass\n" for name in ("on_start(s, x)", "on_step(s, x)", "on_epoch(s, x)"))
    packages.add("acme-diary", {"loggers": {"diary": "Diary"}}, f"class Diary:\n{methods}    def close(s): pass\n")
    assert rows(cli("plugins", "check", "diary", "--json"))[0]["status"] == "ok"


def test_what_there_is_not_cannot_be_checked(packages: Packages, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    packages.add("acme-ring", {"losses": {"ring": "Ring", "rang": "Ring"}}, RING)
    unknown = cli("plugins", "check", "rong")
    assert (unknown.code, unknown.err.splitlines()[0]) == (2, "error: no part or package named 'rong'")
    several = cli("plugins", "check", "acme-ring", "--set", "radius=1")
    assert (several.code, several.err.splitlines()[0]) == (2, "error: --set: 2 parts are checked")
    monkeypatch.setenv("REIDCTL_PLUGINS", "none")
    packages.look_again()
    disabled = cli("plugins", "check", "ring")
    assert (disabled.code, disabled.err.splitlines()[0]) == (2, "error: acme-ring is disabled")


@pytest.fixture
def module(tmp_path: Path, packages: Packages, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that declares a loss, in a folder that is not on Python's path."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    file = folder / "my_ring.py"
    file.write_text(MODULE)
    packages.modules.append("my_ring")
    monkeypatch.setattr(sys, "path", [*sys.path])
    return file


def test_a_file_is_a_package_for_one_command(module: Path, cli: Cli, packages: Packages) -> None:
    shown = cli("losses", "info", "ring", "-P", module, "--json")
    assert (shown.code, json.loads(shown.out)["description"]) == (0, "Embeddings lie on a sphere.")
    packages.look_again()
    (row,) = rows(cli("plugins", "list", "--json", "-P", module))
    assert (row["name"], row["package"], row["version"], row["status"]) == ("ring", "my_ring", "-P", "ok")
    # The child of the check knows of it, too.
    (checked,) = rows(cli("plugins", "check", "my_ring:ring", "--set", "radius=1", "--json", "-P", module))
    assert checked["status"] == "ok"


def test_a_module_on_the_path_is_one_too_and_is_never_left_out(
    module: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(module.parent))
    monkeypatch.setenv("REIDCTL_PLUGINS", "none")
    assert cli("-P", "my_ring", "losses", "info", "ring").code == 0


@pytest.mark.parametrize(
    ("source", "code", "words"),
    [
        (None, 2, "no such file"),
        ("import no_such_library", 3, "does not import: ModuleNotFoundError: No module named 'no_such_library'"),
        ("x = 1", 3, "declares no parts"),
        ("PLUGINS = {'loses': {'ring': int}}", 3, "PLUGINS has 'loses', which is no kind of part"),
    ],
)
def test_a_file_that_is_no_plugin_is_one_line(
    module: Path, cli: Cli, source: str | None, code: int, words: str
) -> None:
    if source is None:
        module.unlink()
    else:
        module.write_text(source)
    refused = cli("-P", module, "losses", "list")
    assert refused.code == code
    assert refused.err.startswith(f"error: -P {module}")
    assert words in refused.err.splitlines()[0]
    assert len(refused.err.splitlines()) <= 2


def test_a_file_called_as_another_module_is_refused(module: Path, cli: Cli) -> None:
    other = module.with_name("json.py")
    other.write_text(MODULE)
    refused = cli("-P", other, "losses", "list")
    assert refused.code == 2
    assert "'json' is another module" in refused.err
    assert "rename the file" in refused.err
