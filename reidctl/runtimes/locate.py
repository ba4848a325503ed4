"""What a user calls a model -> the file it is in, or the preset it is the name of."""

from __future__ import annotations

from pathlib import Path

from reidctl.errors import InputError, nearest
from reidctl.registry import presets

RUN_WEIGHTS = ("weights/best.safetensors", "weights/last.safetensors")
"""Where a run folder keeps its checkpoints, the preferred one first."""


def locate(model: str | Path) -> Path | str:
    """The file of `model` as a path, or the name of a preset as it stands.

    A file or folder comes before a preset of the same name. Raises InputError when it is none of them.
    """
    path = Path(model).expanduser()
    if path.is_dir():
        return _weights_of_run(path)
    if path.is_file():
        return path
    if isinstance(model, str) and _is_preset(model):
        return model
    raise InputError(f"no such model: {model}", _hint(path))


def _weights_of_run(folder: Path) -> Path:
    for name in RUN_WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    raise InputError(
        f"{folder} is a folder without weights/best.safetensors or weights/last.safetensors",
        "give the folder of a run that finished an epoch, or a file",
    )


def _is_preset(name: str) -> bool:
    package, _, short = name.rpartition(":")
    return any(entry.name == short and package in ("", entry.package) for entry in presets.entries)


def _hint(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"there is no folder {folder}"
    # A name of another case is the likeliest slip, and `nearest` compares in lower case.
    there = {entry.name.lower(): entry.name for entry in folder.iterdir()}
    near = nearest(path.name, there)
    if near:
        return f"did you mean '{folder / there[near]}'?"
    preset = nearest(path.name, presets.names())
    return f"did you mean the preset '{preset}'?" if preset else "give a checkpoint, .onnx, .xml, run folder or preset"
