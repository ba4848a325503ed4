"""Distances from query to gallery embeddings, a block of rows at a time.

Every block is one BLAS product: the terms that are not the dot product ride along as extra columns, so no
second pass touches the block. Block shapes follow from the gallery alone and are padded to whole
micro-kernels; the distance of two vectors therefore does not depend on what else is computed with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import numpy as np

from reidctl.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reidctl.types import Float32, Int64

    Int32 = NDArray[np.int32]

Metric = Literal["cosine", "euclidean"]

BLOCK_BYTES = 256 * 2**20
BLOCK_ROWS = 256
KERNEL_ROWS, KERNEL_COLUMNS = 32, 64
TILE_ROWS = 512


class GalleryDistances:
    """Distances of any queries to one gallery, which is prepared once.

    gallery [G, D] of any float type, an array or a memory map; it is read once and kept as float32.
    metric: `cosine` is 1 minus the dot product of the L2-normalised vectors, 0…2 (a zero vector is at 1 from
    everything); `euclidean` is the squared Euclidean distance |q|² + |g|² - 2 q·g of the vectors as they are:
    the root would cost time and change no ranking. Rounding can make either of them slightly negative.
    InputError for features that are not a finite [N, D] matrix.
    """

    def __init__(self, gallery: Float32, metric: Metric = "cosine") -> None:
        _check_matrix(gallery, "gallery")
        self.metric = metric
        self.size, self.dim = gallery.shape
        width = -(-self.size // KERNEL_COLUMNS) * KERNEL_COLUMNS
        self._columns = np.zeros((self.dim + _EXTRA[metric], width), np.float32)
        for start in range(0, self.size, TILE_ROWS):
            tile = finite_rows(gallery, start, start + TILE_ROWS, "gallery")
            self._columns[:, start : start + len(tile)] = _gallery_factor(tile, metric).T

    def blocks(self, queries: Float32) -> Iterator[Float32]:
        """Distances [b, G] float32 of consecutive queries, together [Q, G].

        A block is overwritten by the next one: use it or copy it before going on; writing into it is allowed.
        """
        _check_matrix(queries, "query")
        if queries.shape[1] != self.dim:
            raise InputError(
                f"query features have {queries.shape[1]} numbers each, gallery features {self.dim}",
                "both must come from the same model",
            )
        width = self._columns.shape[1]
        rows = min(_block_rows(width), -(-len(queries) // KERNEL_ROWS) * KERNEL_ROWS)
        factor = np.zeros((rows, len(self._columns)), np.float32)
        block = np.empty((rows, width), np.float32)
        for start in range(0, len(queries), rows):
            tile = finite_rows(queries, start, start + rows, "query")
            factor[: len(tile)] = _query_factor(tile, self.metric)
            np.matmul(factor, self._columns, out=block)
            yield block[: len(tile), : self.size]


def pair_distances(features: Float32, left: Int64, right: Int32, metric: Metric = "cosine") -> Float32:
    """Distances [P] float32 between rows left[i] and right[i] of features [N, D], which `prepared` has made."""
    distances = np.empty(len(left), np.float32)
    for start in range(0, len(left), TILE_ROWS):
        here = slice(start, start + TILE_ROWS)
        one, other = features[left[here]], features[right[here]]
        if metric == "cosine":
            distances[here] = 1 - np.einsum("ij,ij->i", one, other)
        else:
            one -= other
            distances[here] = np.einsum("ij,ij->i", one, one)
    return distances


def prepared(features: Float32, metric: Metric) -> Float32:
    """Features whose distances are those of the given ones and cost less: L2-normalised for `cosine`."""
    return unit_rows(features) if metric == "cosine" else features


def finite_rows(features: Float32, start: int, stop: int, what: str) -> Float32:
    """Rows start…stop as float32; InputError if a number in them is not finite."""
    rows = np.asarray(features[start:stop], dtype=np.float32)
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        raise InputError(
            f"{what} features: row {start + int(finite.argmin())} is not finite",
            "a network that diverged, or a half-precision overflow, gives such numbers",
        )
    return rows


_EXTRA: dict[Metric, int] = {"cosine": 1, "euclidean": 2}


def _query_factor(rows: Float32, metric: Metric) -> Float32:
    one = np.ones((len(rows), 1), np.float32)
    if metric == "cosine":
        return np.hstack([-unit_rows(rows), one])
    return np.hstack([-2 * rows, _squared_norms(rows), one])


def _gallery_factor(rows: Float32, metric: Metric) -> Float32:
    one = np.ones((len(rows), 1), np.float32)
    if metric == "cosine":
        return np.hstack([unit_rows(rows), one])
    return np.hstack([rows, one, _squared_norms(rows)])


def unit_rows(rows: Float32) -> Float32:
    """L2-normalised rows [N, D]; a zero row stays zero."""
    norms = np.maximum(np.sqrt(_squared_norms(rows)), np.finfo(np.float32).tiny)
    unit: Float32 = np.divide(rows, norms)
    return unit


def _squared_norms(rows: Float32) -> Float32:
    squares: Float32 = np.einsum("ij,ij->i", rows, rows)
    return squares[:, None]


def _block_rows(width: int) -> int:
    fitting = BLOCK_BYTES // (4 * max(width, 1)) // KERNEL_ROWS * KERNEL_ROWS
    return max(KERNEL_ROWS, min(BLOCK_ROWS, fitting))


def _check_matrix(features: Float32, what: str) -> None:
    if features.ndim != 2:
        raise InputError(f"{what} features have shape {features.shape}", "one row of numbers per image is needed")
