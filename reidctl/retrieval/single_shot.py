"""Galleries of one random image an identity: what CUHK03's protocol ranks.

W. Li et al., DeepReID: Deep Filter Pairing Neural Network for Person Re-identification, CVPR 2014, section 6: "single
shot", the mean of several draws.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from reidctl.retrieval.inputs import EvaluationInput
    from reidctl.types import Float32, Int64

DRAWS = 10


class SingleShot:
    """Ranks of the valid queries' one match in DRAWS galleries that hold one random image of every identity.

    The draws are each query's own, from the seed and its position, so neither other queries nor the size of a
    block change them. What the protocol removes is never drawn; a query's own identity is one of its matches.
    Distractors are one identity, if all have one number. Ties as in `reidctl.retrieval.ranks`: wrong ones first.
    """

    def __init__(self, inputs: EvaluationInput, seed: int) -> None:
        self._matches = inputs.matches
        self._query_ids = inputs.query_ids
        self._seed = seed
        self._people, self._lengths = np.unique(inputs.gallery_ids, return_counts=True)
        self._starts = np.cumsum(self._lengths) - self._lengths
        self._order = np.argsort(inputs.gallery_ids, kind="stable")
        self._ranks: list[Int64] = []

    def add(self, block: Float32, start: int, pool: Executor) -> None:
        """Draw for the queries of one block."""
        rows, columns, matching = self._matches.same_identity(start, start + len(block))
        rows, columns = rows[matching], columns[matching]
        valid, firsts = np.unique(rows, return_index=True)
        self._ranks.extend(
            pool.map(
                lambda row, matches: self._draw(block[row], start + row, matches),
                valid.tolist(),
                np.split(columns, firsts[1:]),
            )
        )

    def _draw(self, distances: Float32, query: int, matches: Int64) -> Int64:
        chances = np.random.default_rng([self._seed, query]).random((DRAWS, len(self._people)))
        drawn = distances[self._order[self._starts + (chances * self._lengths).astype(np.int64)]]
        own = np.searchsorted(self._people, self._query_ids[query])
        match = distances[np.sort(matches)[(chances[:, own] * len(matches)).astype(np.int64)]]
        drawn[:, own] = np.inf
        ranks: Int64 = 1 + (drawn <= match[:, None]).sum(axis=1)
        return ranks

    @property
    def ranks(self) -> Int64:
        """[V, DRAWS], 1 and up, of the valid queries in their order."""
        return np.stack(self._ranks)
