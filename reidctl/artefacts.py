"""Artefacts by what a user calls them: the file that is meant, and the runtime that opens it."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from reidctl.errors import InputError, PluginError, few, nearest
from reidctl.plugins import OWN, complain
from reidctl.registry import presets, runtimes
from reidctl.types import Spec

RUN_WEIGHTS = ("weights/best.safetensors", "weights/last.safetensors")
"""Where a run folder keeps its checkpoints, the preferred one first."""


def locate(model: str | Path) -> Path | str:
    """The file of `model` (of a folder: its checkpoint, IR or ONNX file), or the name of a preset as it stands.

    A file or folder comes before a preset of the same name. Raises InputError when it is none of them.
    """
    # As it stands where nobody is called so, at which Path.expanduser raises.
    path = Path(os.path.expanduser(model))
    if path.is_dir():
        return _model_in(path)
    if path.is_file():
        return path
    if isinstance(model, str) and _is_preset(model):
        return model
    raise InputError(f"no such model: {model}", _hint(path))


def runtime_for(path: Path, asked: str | Spec | None = None) -> Spec:
    """The runtime that opens `path`: the one asked for, else the first for its suffix, ours before others."""
    suffix = path.suffix.lower()
    if asked is not None:
        spec = Spec(name=asked) if isinstance(asked, str) else asked
        suffixes = runtimes.load(spec.name).suffixes
        if suffix not in suffixes:
            raise InputError(f"{path}: runtime '{spec.name}' opens {', '.join(suffixes)}, not '{suffix}'")
        return spec
    known: list[str] = []
    for name in _names():
        suffixes = _suffixes(name)
        if suffix in suffixes:
            return Spec(name=name)
        known.extend(suffixes)
    raise InputError(
        f"{path}: no runtime opens files with the suffix '{suffix}'",
        f"give one of {', '.join(sorted(set(known)))}, a run folder or a preset; "
        "`reidctl convert-weights` makes a checkpoint of .pth and .pt files",
    )


def _names() -> list[str]:
    """Every runtime, ours first, so that no installed package changes what opens a file."""
    names = runtimes.names()
    return sorted(names, key=lambda name: runtimes.find(name).package != OWN)


@cache
def _suffixes(name: str) -> tuple[str, ...]:
    """What a runtime opens; nothing, with a warning, when it cannot be used: it may be somebody else's."""
    try:
        return tuple(runtimes.load(name).suffixes)
    except PluginError as error:
        complain(f"runtime '{name}' is left out: {error}")
    except AttributeError:
        complain(f"runtime '{name}' is left out: {runtimes.find(name).fault('has no suffixes')}")
    return ()


def _model_in(folder: Path) -> Path:
    """The best checkpoint of a run folder, or the one IR or ONNX file of another folder."""
    for name in RUN_WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    for pattern in ("*.xml", "*.onnx"):
        found = sorted(path for path in folder.glob(pattern) if path.is_file())
        if len(found) > 1:
            names = few([path.name for path in found], 3)
            raise InputError(f"{folder} holds {len(found)} models: {names}", f"name one, such as {found[0]}")
        if found:
            return found[0]
    raise InputError(
        f"{folder} is a folder without weights/best.safetensors, weights/last.safetensors, .xml or .onnx",
        "give the folder of a run that finished an epoch, the folder of an IR, or a file",
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
