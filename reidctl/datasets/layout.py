"""Where a data set lies below the data root, and what lies in its folders."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from reidctl.errors import InputError, nearest
from reidctl.types import Sample


def data_folder(name: str, root: Path, places: Sequence[str], parts: Sequence[str]) -> Path:
    """The first of `places` below `root` that holds one of `parts`; it must hold all of them.

    Raises InputError that names what was looked for, where, and the most similar entry of the root.
    """
    for place in places:
        folder = root / place
        found = [part for part in parts if (folder / part).exists()]
        if found:
            missing = [part for part in parts if part not in found]
            if missing:
                raise InputError(
                    f"data set '{name}': {folder} has {' and '.join(found)} but no {' and no '.join(missing)}",
                    "the data set was unpacked in part; unpack it again",
                )
            return folder
    raise InputError(f"data set '{name}': no {root / places[0]} with {', '.join(parts)}", _what_is_near(root, places))


def jpeg_files(name: str, folder: Path) -> list[Path]:
    """The JPEG files in `folder` in the order of their names; InputError when there are none or it is not readable."""
    try:
        # Paths from iterdir cost a tenth of those from `folder / name`, which parses every name again.
        files = [path for path in folder.iterdir() if path.name.lower().endswith(".jpg")]
    except OSError as error:
        raise unreadable(name, folder, error) from error
    if not files:
        raise InputError(f"data set '{name}': {folder} holds no .jpg files", "unpack the data set again")
    return sorted(files, key=lambda path: path.name)


def relabelled(train: Sequence[Sample]) -> tuple[tuple[Sample, ...], tuple[int, ...]]:
    """Training samples with labels from 0 in the order of their identities, and the identity of each label."""
    numbers = tuple(sorted({sample.identity for sample in train}))
    labels = {identity: label for label, identity in enumerate(numbers)}
    return tuple(Sample(s.image, s.name, labels[s.identity], s.camera) for s in train), numbers


def unreadable(name: str, place: Path, error: OSError) -> InputError:
    """The error for a folder or table that the system does not let us read."""
    reason = error.strerror or str(error)
    return InputError(f"data set '{name}': {place} cannot be read: {reason}", "look at who may read it, and at links")


def _what_is_near(root: Path, places: Sequence[str]) -> str:
    if not root.is_dir():
        return f"{root} is no folder; give the folder that holds the data sets with --root"
    try:
        entries = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    except OSError as error:
        return f"{root} cannot be read: {error.strerror}"
    wanted = places[0].split("/")[0]
    others = {entry.lower(): entry for entry in entries if entry != wanted}
    near = nearest(wanted, others)
    if near:
        return f"there is {root / others[near]}; rename it to '{wanted}' or give another --root"
    shown = ", ".join(entries[:8]) + (", …" if len(entries) > 8 else "") if entries else "no folders"
    return f"below {root}: {shown}; give the folder that holds '{wanted}' with --root"
