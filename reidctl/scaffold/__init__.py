"""A first plugin package, written from templates."""

from __future__ import annotations

import re
from pathlib import Path

from reidctl.errors import ConfigError, suggestion
from reidctl.files import refuse_existing, replacing
from reidctl.registry import API_VERSION

KINDS = {"model": "models", "dataset": "datasets", "loss": "losses"}
_TEMPLATES = Path(__file__).parent / "templates"


def write_package(name: str, kind: str, folder: Path) -> Path:
    """Write the package `name` with one part of `kind` into `folder`; its folder.

    name follows PyPA's rules for package names. Raises ConfigError for another name or kind and ExistsError where
    the package's folder is there already.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    if kind not in KINDS:
        raise ConfigError(f"no template for a '{kind}'", suggestion(kind, KINDS, f"kinds: {', '.join(KINDS)}"))
    if not re.fullmatch(r"[A-Za-z]([A-Za-z0-9._-]*[A-Za-z0-9])?", name):
        raise ConfigError(f"'{name}' is no package name", "use letters, digits, - and _, beginning with a letter")
    module = re.sub(r"[-.]+", "_", name).lower()
    package = folder / name
    refuse_existing(package, force=False)
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), undefined=StrictUndefined, keep_trailing_newline=True
    )
    values = {
        "name": name,
        "module": module,
        "part": module.removeprefix("reidctl_"),
        "kind": kind,
        "group": f"reidctl.{KINDS[kind]}",
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
