"""Approximate search with faiss, in an index that is kept beside the feature file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reidctl.errors import InputError, MissingExtra
from reidctl.files import replacing
from reidctl.retrieval.distance import finite_rows, unit_rows
from reidctl.retrieval.nearest import Neighbours

if TYPE_CHECKING:
    from reidctl.retrieval.features import FeatureReader
    from reidctl.types import Float32

LISTS_FROM = 10_000
"""Rows from which on an index is divided into lists; a smaller one is searched in full."""

ROWS_PER_LIST_TO_TRAIN = 40
SHARE_SEARCHED = 1 / 16


def require_faiss() -> None:
    """Raise MissingExtra where faiss is not installed."""
    if find_spec("faiss") is None:
        raise MissingExtra("an approximate search needs faiss", "pip install 'reidctl[search]'")


def search_faiss(queries: Float32, file: FeatureReader, k: int) -> Neighbours:
    """The k rows of a feature file that are nearest by cosine distance to each query [Q, D], most of them at least.

    The index, an inverted file of 4·√N lists of which a sixteenth is searched, is `<file>.faiss`, with the file's own
    time of change; it is built where it is not there or has another. MissingExtra where faiss is not installed,
    InputError where the sizes disagree.
    """
    require_faiss()
    if queries.shape[1] != file.dim:
        sizes = f"{queries.shape[1]} numbers each, those of {file.path} {file.dim}"
        raise InputError(f"the embeddings of the query have {sizes}", "both must come from the same model")
    if not file.rows:
        return Neighbours(np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32))
    index = _opened(file)
    units = np.ascontiguousarray(unit_rows(finite_rows(queries, 0, len(queries), "query")))
    cosines, indices = index.search(units, min(k, file.rows))
    distances = np.where(indices < 0, np.inf, np.clip(1 - cosines, 0, 2)).astype(np.float32)
    return Neighbours(indices.astype(np.int64), distances)


def index_path(file: FeatureReader) -> Path:
    """Where the index of a feature file is kept."""
    return file.path.with_name(f"{file.path.name}.faiss")


def _opened(file: FeatureReader) -> Any:
    import faiss

    path, changed = index_path(file), file.path.stat().st_mtime_ns
    # Not "newer than the file": an older one may have taken the file's place since, as `cp -p` and `rsync -t` do.
    if path.is_file() and path.stat().st_mtime_ns == changed:
        try:
            index = faiss.read_index(str(path))
        except RuntimeError as error:
            raise InputError(f"{path}: no index that faiss reads", "remove it; it is built again") from error
        if (index.ntotal, index.d) == (file.rows, file.dim):
            return _searching(index)
    index = _built(file)
    with replacing(path) as temporary:
        faiss.write_index(index, str(temporary))
        os.utime(temporary, ns=(changed, changed))
    return _searching(index)


def _built(file: FeatureReader) -> Any:
    import faiss

    index: Any = faiss.IndexFlatIP(file.dim)
    if file.rows >= LISTS_FROM:
        lists = int(4 * file.rows**0.5)
        index = faiss.IndexIVFFlat(index, file.dim, lists, faiss.METRIC_INNER_PRODUCT)
        step = max(1, file.rows // (ROWS_PER_LIST_TO_TRAIN * lists))
        index.train(np.concatenate([units[::step] for units in _units(file)]))
    for units in _units(file):
        index.add(units)
    return index


def _searching(index: Any) -> Any:
    if hasattr(index, "nlist"):
        index.nprobe = max(8, int(index.nlist * SHARE_SEARCHED))
    return index


def _units(file: FeatureReader) -> Iterator[Float32]:
    start = 0
    for rows in file.vectors():
        yield np.ascontiguousarray(unit_rows(finite_rows(rows, 0, len(rows), "gallery", start)))
        start += len(rows)
