"""The packages in plugins/ are what a third party could have written: complete, and on public names alone."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from reidctl.packages import OFFERED

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(path.parent for path in (ROOT / "plugins").glob("*/pyproject.toml"))
ON_ALL = pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)

PUBLIC = {
    "reidctl",
    "reidctl.errors",
    "reidctl.types",
    "reidctl.index",
    "reidctl.testing",
    "reidctl.files",
    *(f"reidctl.cli.{name}" for name in ("eval_options", "options", "output", "targets")),
    *(f"reidctl.retrieval.{name}" for name in ("bulk", "features", "sharded")),
    "reidctl.data.problems",
    "reidctl.datasets.layout",
    *(f"reidctl.losses.{name}" for name in ("labels", "precision")),
    *(f"reidctl.models.{name}" for name in ("blocks", "dropout", "gates", "head", "layers", "pooling")),
}
"""What docs/architecture.md promises to packages."""


def imports(source: str) -> Iterator[str]:
    """Every module of ours that is imported."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "reidctl")
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "reidctl":
            yield node.module


def test_the_packages_were_found() -> None:
    assert len(PACKAGES) >= 3


@ON_ALL
def test_a_package_imports_public_names_alone(package: Path) -> None:
    files = [path for path in package.rglob("*.py") if ".venv" not in path.parts]
    assert files
    private = {(path.name, module) for path in files for module in imports(path.read_text(encoding="utf-8"))}
    assert {(path, module) for path, module in private if module not in PUBLIC} == set()


def test_a_private_import_is_found() -> None:
    source = "from reidctl.types import Sample\nfrom reidctl.registry import losses\nimport reidctl_other.x"
    assert set(imports(source)) - PUBLIC == {"reidctl.registry"}


@ON_ALL
def test_what_is_promised_to_packages_is_documented(package: Path) -> None:
    promised = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    used = {module for path in package.rglob("*.py") for module in imports(path.read_text(encoding="utf-8"))}
    assert [module for module in used - {"reidctl"} if f"`{module}`" not in promised] == []


@ON_ALL
def test_a_package_is_complete(package: Path) -> None:
    project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module = package.name.replace("-", "_")
    assert project["name"] == package.name
    assert project["version"]
    assert project["license"] == "Apache-2.0"
    assert project["entry-points"]["reidctl.api"] == {"version": "v1"}
    assert (package / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    assert (package / "README.md").read_text(encoding="utf-8").startswith(f"# {package.name}\n")
    assert (package / module / "py.typed").is_file()
    assert list((package / "tests").glob("test_*.py"))


@ON_ALL
def test_the_types_of_a_package_are_checked(package: Path) -> None:
    mypy = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]
    assert package.name.replace("-", "_") in mypy["packages"]
    assert f"plugins/{package.name}" in mypy["mypy_path"]


@ON_ALL
def test_a_part_that_is_not_installed_is_known_by_its_package(package: Path) -> None:
    project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {group.removeprefix("reidctl."): set(points) for group, points in project["entry-points"].items()}
    del declared["api"]
    known = {kind: set(names) for kind, names in OFFERED.get(package.name, {}).items()}
    # That of the tutorial is written by its reader.
    assert known == ({} if package.name == "reidctl-tutorial" else declared)


@ON_ALL
def test_the_readme_names_a_package(package: Path) -> None:
    assert f"[{package.name}](plugins/{package.name}/README.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
