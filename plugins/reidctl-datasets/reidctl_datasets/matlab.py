"""MATLAB files: those of version 7.3, which are HDF5, and the older ones."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from reidctl.errors import InputError

AGAIN = "unpack the data set again"


def read_mat(name: str, path: Path) -> Mapping[str, Any]:
    """The variables of a MATLAB file older than 7.3: structs as dictionaries, vectors as arrays or lists.

    Raises InputError for a file that is none.
    """
    from scipy.io import loadmat

    try:
        found: Mapping[str, Any] = loadmat(path, simplify_cells=True)
    except Exception as error:
        # What scipy raises on damaged files is of many kinds.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"data set '{name}': {path} is no MATLAB file that can be read: {reason}", AGAIN) from error
    return found


def open_hdf5(name: str, path: Path) -> Any:
    """A MATLAB 7.3 file, open for reading until this process ends; InputError for a file that is none."""
    try:
        # A process that was forked must not share the position in the file with its parent.
        return _opened(path, os.getpid())
    except OSError as error:
        raise InputError(f"data set '{name}': {path} is no MATLAB 7.3 file that can be read: {error}", AGAIN) from error


@cache
def _opened(path: Path, process: int) -> Any:
    import h5py

    return h5py.File(path, "r")
