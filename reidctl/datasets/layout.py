"""Where a data set lies below the data root, and what lies in its folders.

Readers of other packages find, list and number with the same functions, and so fail with the same words.
"""

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


def image_files(name: str, folder: Path, suffix: str = ".jpg") -> list[Path]:
    """The files in `folder` that end in `suffix`, in either case, in the order of their names.

    Raises InputError when there are none, and for a folder that is not readable.
    """
    try:
        # Paths from iterdir cost a tenth of those from `folder / name`, which parses every name again.
        files = [path for path in folder.iterdir() if path.name.lower().endswith(suffix)]
    except OSError as error:
        raise unreadable(name, folder, error) from error
    if not files:
        raise InputError(f"data set '{name}': {folder} holds no {suffix} files", "unpack the data set again")
    return sorted(files, key=lambda path: path.name)


def list_lines(name: str, listing: Path, *, may_be_empty: bool = False) -> list[str]:
    """The lines of a list of images; InputError for one that is missing, unreadable or, unless it may be, empty."""
    try:
        lines = listing.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"data set '{name}': {listing} cannot be read: {error}", "unpack the data set again"
        ) from error
    if not lines and not may_be_empty:
        raise InputError(f"data set '{name}': {listing} is empty", "unpack the data set again")
    return lines


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
