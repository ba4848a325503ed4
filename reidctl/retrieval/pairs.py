"""Distances of pairs of images that show the same person, and of pairs that show different people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reidctl.types import Int64

    Float64 = NDArray[np.float64]


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
