"""Sparse rows, and the Jaccard distance between them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reidctl.retrieval.arrays import ragged, row_groups

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from numpy.typing import NDArray

    from reidctl.retrieval.on_device import Block
    from reidctl.types import Float32, Int64

    Int32 = NDArray[np.int32]


@dataclass(frozen=True)
class SparseRows:
    """A sparse matrix: row i has weights[starts[i]:starts[i+1]] in columns[starts[i]:starts[i+1]] (ascending)."""

    starts: Int64
    columns: Int32
    weights: Float32

    @classmethod
    def joined(cls, parts: Iterable[tuple[Int64, Int32, Float32]], count: int) -> SparseRows:
        """`count` rows from parts (row, column, weight), each flat and together ordered by row and column."""
        rows, columns, weights = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return cls(np.searchsorted(rows, np.arange(count + 1)), columns, weights)

    def row(self, i: int) -> tuple[Int32, Float32]:
        """Columns and weights of one row."""
        here = slice(self.starts[i], self.starts[i + 1])
        return self.columns[here], self.weights[here]


@dataclass(frozen=True)
class InvertedIndex:
    """The same, by column, over the gallery: which images have weight in a column, and how much."""

    starts: Int64
    images: Int64
    weights: Float32
    size: int

    @classmethod
    def of(cls, encoding: SparseRows, queries: int) -> InvertedIndex:
        """Of the rows after those of the queries."""
        count = len(encoding.starts) - 1
        images = np.repeat(np.arange(count - queries), np.diff(encoding.starts[queries:]))
        entries = slice(encoding.starts[queries], None)
        order = np.argsort(encoding.columns[entries], kind="stable")
        starts = np.searchsorted(encoding.columns[entries], np.arange(count + 1), sorter=order)
        return cls(starts, images[order], encoding.weights[entries][order], count - queries)

    def overlap(self, columns: Int32, weights: Float32) -> Float32:
        """Sum over the columns of the smaller of both weights, for every gallery image, as [G] float32."""
        lengths = self.starts[columns + 1] - self.starts[columns]
        entries = ragged(self.starts[columns], lengths)
        smaller = np.minimum(self.weights[entries], np.repeat(weights, lengths))
        return np.bincount(self.images[entries], smaller, minlength=self.size).astype(np.float32)


class JaccardDistances:
    """Jaccard distances (equation 10) from the first rows of an encoding, the queries, to the others, the gallery."""

    def __init__(self, encoding: SparseRows, queries: int) -> None:
        self.encoding, self.index = encoding, InvertedIndex.of(encoding, queries)

    def mix(self, block: Block, start: int, scale: Float32, share: float, pool: Executor) -> None:
        """Block [b, G] of the queries from start on becomes its squares times scale [b, 1] plus share of these."""
        assert isinstance(block, np.ndarray)

        def mix_rows(group: slice) -> None:
            rows = block[group]
            np.square(rows, out=rows)
            rows *= scale[group]
            for query, row in enumerate(rows, start + group.start):
                overlap = self.index.overlap(*self.encoding.row(query))
                row += share * (1 - overlap / (2 - overlap))

        list(pool.map(mix_rows, row_groups(block)))
