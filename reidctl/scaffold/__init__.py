"""A first plugin package, written from templates."""

from __future__ import annotations

import keyword
import re
import sys
from pathlib import Path

from reidctl.errors import ConfigError, suggestion
from reidctl.files import refuse_existing, replacing
from reidctl.registry import API_VERSION, REGISTRIES

_TARGETS = {
    "model": "Model",
    "dataset": "read",
    "loss": "Loss",
    "transform": "Transform",
    "runtime": "Runtime",
    "command": "count_people",
}
"""What the module of each kind defines. It is not named after the part, whose name may be that of anything in there."""

KINDS = tuple(_TARGETS)
_TEMPLATES = Path(__file__).parent / "templates"


def write_package(name: str, kind: str, folder: Path) -> Path:
    """Write the package `name` with one part of `kind` into `folder`; its folder.

    name follows PyPA's rules for package names; the part is called as it is, without a `reidctl-` before it. Raises
    ConfigError for another name or kind, or one that is taken, and ExistsError where the package's folder is there.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    if kind not in KINDS:
        raise ConfigError(f"no template for a '{kind}'", suggestion(kind, KINDS, f"kinds: {', '.join(KINDS)}"))
    registry = next(registry for registry in REGISTRIES if registry.kind == kind)
    module, part = _called(name)
    taken = next((entry for entry in registry.declared if entry.name == part), None)
    if taken and taken.package != name:
        raise ConfigError(f"{taken.package} has a {kind} named '{part}' already", "choose another name")
    package = folder / name
    refuse_existing(package, force=False)
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), undefined=StrictUndefined, keep_trailing_newline=True
    )
    values = {
        "name": name,
        "module": module,
        "part": part,
        "target": _TARGETS[kind],
        "kind": kind,
        "group": registry.group,
        "api": API_VERSION,
    }
    with replacing(package) as temporary:
        for template, target in {
            "pyproject.toml.j2": "pyproject.toml",
            "README.md.j2": "README.md",
            f"{kind}.py.j2": f"{module}.py",
            f"test_{kind}.py.j2": f"tests/test_{module}.py",
        }.items():
            path = temporary / target
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(environment.get_template(template).render(values), encoding="utf-8")
    return package


def _called(name: str) -> tuple[str, str]:
    """The module and the part of a package; ConfigError where Python could not import or name them."""
    if not re.fullmatch(r"[A-Za-z]([A-Za-z0-9._-]*[A-Za-z0-9])?", name):
        raise ConfigError(f"'{name}' is no package name", "use letters, digits, - and _, beginning with a letter")
    module = re.sub(r"[-.]+", "_", name).lower()
    part = module.removeprefix("reidctl_")
    if not part.isidentifier() or keyword.iskeyword(part):
        raise ConfigError(f"'{name}' is no package name: '{part}' cannot be the name of a part", "choose another")
    if module == "reidctl" or module in sys.stdlib_module_names:
        raise ConfigError(f"'{name}' is no package name: Python has a module '{module}' already", f"try reidctl-{name}")
    return module, part
