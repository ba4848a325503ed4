"""Distances of pairs of images that show the same person, and of pairs that show different people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from reidctl.errors import InputError
from reidctl.retrieval.arrays import row_groups
from reidctl.retrieval.distance import TILE_ROWS, finite_rows

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from numpy.typing import NDArray

    from reidctl.retrieval.inputs import EvaluationInput
    from reidctl.types import Float32, Int64

    Float64 = NDArray[np.float64]

# A power of two, as is the top of every grid: whether a distance is below an edge is then decided without rounding.
BINS = 2**16


@dataclass(frozen=True)
class PairDistances:
    """How many pairs of a query and a gallery image lie in each bin of distance.

    The pairs are those that the protocol ranks: valid queries only, no junk, no image of the query's identity by
    the query's camera. edges [B + 1] float64 rise evenly; same [B] and different [B] int64 count the pairs of one
    person and of two at edges[i] <= distance < edges[i + 1]. What rounding puts beyond either end is in the bin there.
    """

    edges: Float64
    same: Int64
    different: Int64

    def roc(self) -> tuple[Float64, Float64]:
        """(false match rate, true match rate) of "closer than an edge", from (0, 0) to (1, 1), equal points once."""
        counts = np.stack([self.different, self.same])
        totals = np.cumsum(np.pad(counts[:, counts.any(axis=0)], ((0, 0), (1, 0))), axis=1)
        fpr, tpr = totals / np.maximum(totals[:, -1:], 1)
        return fpr, tpr

    def merged(self, bins: int) -> PairDistances:
        """The same pairs in at most so many bins (1 and up) of equal width, the empty ones at both ends left out."""
        held = np.flatnonzero(self.same + self.different)
        low, high = (int(held[0]), int(held[-1]) + 1) if len(held) else (0, 1)
        width = 1
        while -(-high // width) - low // width > bins:
            width *= 2
        starts = np.arange(low // width * width, high, width)
        ends = np.minimum(starts + width, len(self.same))
        edges = self.edges[np.append(starts, ends[-1])]
        return PairDistances(edges, *(_sums(counts, starts, ends) for counts in (self.same, self.different)))

    def as_dict(self, bins: int = 100) -> dict[str, Any]:
        """Plain values for `--json`, in at most so many bins."""
        merged = self.merged(bins)
        return {
            "edges": merged.edges.tolist(),
            "same": merged.same.tolist(),
            "different": merged.different.tolist(),
        }


def _sums(counts: Int64, starts: Int64, ends: Int64) -> Int64:
    totals: Int64 = np.concatenate([[0], np.cumsum(counts)])
    sums: Int64 = totals[ends] - totals[starts]
    return sums


@dataclass(frozen=True)
class Grid:
    """BINS equal bins from 0 to top, which is a power of two."""

    top: float

    @classmethod
    def covering(cls, inputs: EvaluationInput) -> Grid:
        """One that holds every distance: 2 for cosine, 1 re-ranked, else the longest vectors back to back, squared."""
        if inputs.rerank:
            return cls(1.0)
        if inputs.metric == "cosine":
            return cls(2.0)
        farthest = (_longest(inputs.query_features, "query") + _longest(inputs.gallery_features, "gallery")) ** 2
        if farthest > float(np.finfo(np.float32).max):
            raise InputError(
                "features are too long: their squared distances do not fit 32 bits", "divide them all by one number"
            )
        return cls(float(2.0 ** np.ceil(np.log2(farthest))) if farthest else 1.0)

    @property
    def edges(self) -> Float64:
        """[BINS + 1] float64."""
        edges: Float64 = np.arange(BINS + 1, dtype=np.float64) * (self.top / BINS)
        return edges

    def bins(self, distances: Float32) -> Int64:
        """The bin of each distance, in the shape given."""
        places: Int64 = np.clip(distances * np.float32(BINS / self.top), 0, BINS - 1).astype(np.int64)
        return places


class PairCounter:
    """Counts pairs by distance, and keeps the distances of the pairs of one person, which are as few as the matches."""

    def __init__(self, inputs: EvaluationInput, grid: Grid) -> None:
        self.grid = grid
        self._matches, self._valid = inputs.matches, inputs.valid
        self._all = np.zeros(BINS, np.int64)
        self._removed = np.zeros(BINS, np.int64)
        self._same: list[Float32] = []

    def add(self, block: Float32, start: int, pool: Executor) -> None:
        """Count one block."""
        valid = self._valid[start : start + len(block)]
        rows, columns, matching = self._matches.same_identity(start, start + len(block))
        own = block[rows, columns]
        self._same.append(own[matching])
        self._removed += self._counts(own[~matching & valid[rows]])
        rest = block if valid.all() else block[valid]
        self._all += sum(pool.map(self._counts, [rest[group] for group in row_groups(rest)]))

    def _counts(self, distances: Float32) -> Int64:
        return np.bincount(self.grid.bins(distances).reshape(-1), minlength=BINS)

    @property
    def same(self) -> Float32:
        """[M] distances of the matches, query by query."""
        return np.concatenate(self._same)

    def found(self) -> PairDistances:
        """The counts of all blocks."""
        same = self._counts(self.same)
        return PairDistances(self.grid.edges, same, self._all - self._removed - same)


def _longest(features: Float32, what: str) -> float:
    tiles = (finite_rows(features, start, start + TILE_ROWS, what) for start in range(0, len(features), TILE_ROWS))
    return max(float(np.linalg.norm(tile.astype(np.float64), axis=1).max()) for tile in tiles)
