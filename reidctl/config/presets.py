"""The presets: one YAML file each, in a folder that its package's entry point names.

A package offers presets as `[project.entry-points."reidctl.presets"] my-preset = "my_package:FOLDER"`,
where FOLDER is a path that holds `my-preset.yaml`.
"""

from __future__ import annotations

from pathlib import Path

from reidctl.config.reader import Document, read_file
from reidctl.errors import PluginError
from reidctl.registry import presets

_PACKAGE = Path(__file__).parents[1]
_IN_WHEEL = _PACKAGE / "configs"

FOLDER = _IN_WHEEL if _IN_WHEEL.is_dir() else _PACKAGE.parent / "configs"
"""Ours: `configs/` of a checkout, which a wheel carries inside the package."""


def preset_path(name: str) -> Path:
    """The file of a registered preset; UnknownName suggests the nearest, PluginError when the file is not there."""
    entry = presets.find(name)
    folder = entry.load()
    path = Path(str(folder)) / f"{entry.name}.yaml"
    if not path.is_file():
        raise PluginError(f"preset '{name}' from {entry.origin}: no file {path}", f"reinstall {entry.package}")
    return path


def read_preset(name: str) -> Document:
    """The values of a registered preset."""
    return read_file(preset_path(name))


def preset_title(name: str) -> str:
    """What a preset is: its first line, `# name: …`."""
    with preset_path(name).open(encoding="utf-8", errors="replace") as file:
        return file.readline().lstrip("# ").strip().removeprefix(f"{name}: ")
