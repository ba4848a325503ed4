"""Distances from query to gallery embeddings, a block of rows at a time.

Every block is one BLAS product: the terms that are not the dot product ride along as extra columns, so no
second pass touches the block. Its shape is padded to whole micro-kernels, so that the distance of two vectors depends
as little as the BLAS allows on what else is computed with them: not at all with AVX-512, in the last bit with AVX2.
Equal gallery vectors are at exactly the same distance from a query with any BLAS, so that ties are ties everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from reidctl.errors import InputError, require_known

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reidctl.types import Float32, Int64

    Int32 = NDArray[np.int32]
    UInt64 = NDArray[np.uint64]

Metric = Literal["cosine", "euclidean"]

BLOCK_BYTES = 256 * 2**20
BLOCK_ROWS = 256
KERNEL_ROWS, KERNEL_COLUMNS = 32, 64
TILE_ROWS = 512


class GalleryDistances:
    """Distances of any queries to one gallery, which is prepared once.

    gallery [G, D] of any float type, an array or a memory map; it is read once and kept as float32, in `columns`
    [D + e, G and padding], the right factor of the product.
    metric: `cosine` is 1 minus the dot product of the L2-normalised vectors, 0…2 (a zero vector is at 1 from
    everything); `euclidean` is the squared Euclidean distance |q|² + |g|² - 2 q·g of the vectors as they are:
    the root would cost time and change no ranking. Rounding can make either of them slightly negative.
    InputError for features that are not a finite [N, D] matrix, ConfigError for another metric.
    """

    def __init__(self, gallery: Float32, metric: Metric = "cosine") -> None:
        require_metric(metric)
        _check_matrix(gallery, "gallery")
        self.metric = metric
        self.size, self.dim = gallery.shape
        width = -(-self.size // KERNEL_COLUMNS) * KERNEL_COLUMNS
        self.columns = np.zeros((self.dim + _EXTRA[metric], width), np.float32)
        hashes = np.empty(self.size, np.uint64)
        for start in range(0, self.size, TILE_ROWS):
            tile = finite_rows(gallery, start, start + TILE_ROWS, "gallery")
            factor = _gallery_factor(tile, metric)
            self.columns[:, start : start + len(tile)] = factor.T
            hashes[start : start + len(tile)] = _hashes(factor[:, : self.dim])
        self.twins = self._twins(hashes)

    def blocks(self, queries: Float32) -> Iterator[Float32]:
        """Distances [b, G] float32 of consecutive queries, together [Q, G].

        A block is overwritten by the next one: use it or copy it before going on; writing into it is allowed.
        """
        block: Float32 | None = None
        for count, factor in self.factors(queries):
            block = np.empty((len(factor), self.columns.shape[1]), np.float32) if block is None else block
            np.matmul(factor, self.columns, out=block)
            block[:, self.twins[0]] = block[:, self.twins[1]]
            yield block[:count, : self.size]

    def _twins(self, hashes: UInt64) -> tuple[Int64, Int64]:
        """Gallery images that equal an earlier one, and which: the BLAS may round their distances differently."""
        _, firsts, inverse = np.unique(hashes, return_index=True, return_inverse=True)
        earlier = firsts[inverse]
        later = np.flatnonzero(earlier < np.arange(self.size))
        equal = [bool((self.columns[:, image] == self.columns[:, earlier[image]]).all()) for image in later]
        later = later[equal]
        return later, earlier[later]

    def factors(self, queries: Float32) -> Iterator[tuple[int, Float32]]:
        """(b, left factor [rows, D + e]) of consecutive blocks: its first b rows times `columns` are their distances.

        All have the same number of rows; a factor is overwritten by the next one.
        """
        _check_matrix(queries, "query")
        _check_widths(queries.shape[1], self.dim)
        rows = min(_block_rows(self.columns.shape[1]), -(-len(queries) // KERNEL_ROWS) * KERNEL_ROWS)
        factor = np.zeros((rows, len(self.columns)), np.float32)
        for start in range(0, len(queries), rows):
            tile = finite_rows(queries, start, start + rows, "query")
            factor[: len(tile)] = _query_factor(tile, self.metric)
            yield len(tile), factor


def require_metric(metric: Metric) -> None:
    """ConfigError for one that there is not."""
    require_known("metric", metric, get_args(Metric))


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


def prepared(query_features: Float32, gallery_features: Float32, metric: Metric) -> Float32:
    """Both as one [Q + G, D] float32 of the same distances at less cost: L2-normalised for `cosine`.

    They are read a tile of rows at a time, so a memory map or another float type costs no second copy.
    Errors as for `GalleryDistances`.
    """
    require_metric(metric)
    for part, what in ((query_features, "query"), (gallery_features, "gallery")):
        _check_matrix(part, what)
    _check_widths(query_features.shape[1], gallery_features.shape[1])
    features = np.empty((len(query_features) + len(gallery_features), query_features.shape[1]), np.float32)
    place = 0
    for part, what in ((query_features, "query"), (gallery_features, "gallery")):
        for start in range(0, len(part), TILE_ROWS):
            tile = finite_rows(part, start, start + TILE_ROWS, what)
            features[place : place + len(tile)] = unit_rows(tile) if metric == "cosine" else tile
            place += len(tile)
    return features


def finite_rows(features: Float32, start: int, stop: int, what: str, before: int = 0) -> Float32:
    """Rows start…stop as float32; InputError if a number in them is not finite.

    before: rows in front of `features`, where these are a piece, by which the error counts.
    """
    rows = np.asarray(features[start:stop], dtype=np.float32)
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        raise InputError(
            f"{what} features: row {before + start + int(finite.argmin())} is not finite",
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


def _hashes(rows: Float32) -> UInt64:
    """One number a row, the same for equal rows; adding 0 makes one zero of both."""
    whole = np.pad(rows, ((0, 0), (0, rows.shape[1] % 2)))
    whole += np.float32(0)
    words = whole.view(np.uint64)
    odd = np.random.default_rng(0).integers(2**63, size=words.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    hashes: UInt64 = words @ odd
    return hashes


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


def _check_widths(query_dim: int, gallery_dim: int) -> None:
    if query_dim != gallery_dim:
        raise InputError(
            f"query features have {query_dim} numbers each, gallery features {gallery_dim}",
            "both must come from the same model",
        )


def _check_matrix(features: Float32, what: str) -> None:
    if features.ndim != 2:
        raise InputError(f"{what} features have shape {features.shape}", "one row of numbers per image is needed")
