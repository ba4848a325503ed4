"""Imports go downward only; plugins are reached by name, never by path."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "reidctl"

LAYERS = {
    "errors": 0,
    "types": 0,
    "index": 0,
    "files": 0,
    "installed": 1,
    "packages": 1,
    "plugins": 1,
    "registry": 1,
    "validation": 1,
    "fields": 1,
    "devices": 1,
    "processor": 1,
    "config": 1,
    "artefacts": 1,
    "data": 2,
    "retrieval": 2,
    "report": 3,
    "runtimes": 3,
    "loggers": 3,
    "weights": 3,
    "training": 3,
    "conversion": 3,
    "export": 3,
    "benchmarking": 3,
    "testing": 3,
    "conformance": 3,
    "scaffold": 3,
    "complexity": 3,
    "zoo": 3,
    "api": 3,
    "cli": 4,
}
PLUGINS = {"datasets", "models", "losses", "transforms"}
PLUGINS_MAY_IMPORT = {"errors", "types", "files", "data"}


def _modules() -> list[Path]:
    return sorted(
        path for path in PACKAGE.rglob("*.py") if len(path.relative_to(PACKAGE).parts) > 1 or path.stem != "__init__"
    )


def _part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(source: str, path: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted module) of every import of our own package, those inside functions too."""
    package = ["reidctl", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names if alias.name.split(".")[0] == "reidctl")
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            if module == "reidctl":
                yield from ((node.lineno, f"reidctl.{alias.name}") for alias in node.names)
            elif module.startswith("reidctl."):
                yield node.lineno, module


def violations(source: str, path: Path) -> list[str]:
    part = _part(path)
    found = []
    for line, module in _imports(source, path):
        target = module.split(".")[1]
        if target == part or target.startswith("__"):
            continue
        if target in PLUGINS:
            found.append(f"{path}:{line}: imports the plugin {module} by path")
        elif part in PLUGINS:
            if target not in PLUGINS_MAY_IMPORT:
                found.append(f"{path}:{line}: a plugin imports {module}")
        elif part != "__main__" and LAYERS[target] > LAYERS[part]:
            found.append(f"{path}:{line}: {part} (layer {LAYERS[part]}) imports {module} (layer {LAYERS[target]})")
    return found


def test_the_modules_were_found() -> None:
    assert len(_modules()) > 60


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_downward(path: Path) -> None:
    assert violations(path.read_text(encoding="utf-8"), path) == []


def test_every_part_has_a_layer() -> None:
    assert {_part(path) for path in _modules()} - PLUGINS - {"__main__"} <= LAYERS.keys()


@pytest.mark.parametrize(
    ("part", "line"),
    [
        ("errors.py", "import reidctl.registry"),
        ("config/load.py", "from reidctl.data import images"),
        ("retrieval/embed.py", "def f():\n    from reidctl import runtimes"),
        ("training/trainer.py", "from reidctl.models.osnet import osnet_x1_0"),
        ("losses/softmax.py", "from reidctl.registry import losses"),
        ("losses/softmax.py", "from ..registry import losses"),
    ],
)
def test_an_upward_import_is_found(part: str, line: str) -> None:
    assert len(violations(line, PACKAGE / part)) == 1


def test_packages_import_each_other_one_way() -> None:
    edges = {
        (_part(path), module.split(".")[1]) for path in _modules() for _, module in _imports(path.read_text(), path)
    }
    assert {(a, b) for a, b in edges if a < b and (b, a) in edges} == set()
