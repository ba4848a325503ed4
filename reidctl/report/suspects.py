"""Pairs of images whose labels may be wrong: two people who look like one, and one who looks like two."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reidctl.retrieval.distance import Metric, pair_distances, prepared
from reidctl.retrieval.ranks import Matches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reidctl.retrieval.ranking import Ranking
    from reidctl.types import Embeddings, Float32, Int64, Sample

SHOWN = 12
DRAWN = 100_000


@dataclass(frozen=True)
class Pair:
    """A query and a gallery image, and their distance."""

    query: Sample
    gallery: Sample
    distance: float


@dataclass(frozen=True)
class Suspects:
    """Labels to look at.

    near: different people closer than `typical_same`, the median distance of one person's images, closest first, one
    pair for two people. far: one person farther apart than `typical_different`, the median distance of different
    people, farthest first, one pair a person. Each at most SHOWN.
    """

    near: tuple[Pair, ...]
    far: tuple[Pair, ...]
    typical_same: float
    typical_different: float


def suspects(query: Embeddings, gallery: Embeddings, ranking: Ranking, metric: Metric) -> Suspects:
    """Those among the nearest gallery images of every query, and among all images of one person by two cameras.

    ranking has all queries, in their order. Distances are those of the embeddings, whatever the ranking's. The
    median distance of different people is that of DRAWN pairs, the same each time.
    """
    features = prepared(query.vectors, gallery.vectors, metric)

    def distances(rows: Int64, columns: Int64) -> Float32:
        return pair_distances(features, rows, (columns + len(query.samples)).astype(np.int32), metric)

    rows, columns = _same(query, gallery)
    same = distances(rows, columns)
    others = _different(query, gallery)
    typical_same = float(np.median(same)) if len(same) else 0.0
    typical_different = float(np.median(distances(*others))) if len(others[0]) else np.inf
    wrong_rows, places = np.nonzero((ranking.gallery >= 0) & ~ranking.correct)
    wrong_columns = ranking.gallery[wrong_rows, places]
    wrong = distances(wrong_rows, wrong_columns)
    near, far = wrong < typical_same, same > typical_different
    return Suspects(
        _first(query, gallery, wrong_rows[near], wrong_columns[near], wrong[near]),
        _first(query, gallery, rows[far], columns[far], -same[far]),
        typical_same,
        typical_different,
    )


def _same(query: Embeddings, gallery: Embeddings) -> tuple[Int64, Int64]:
    matches = Matches(query.identities, gallery.identities, query.cameras, gallery.cameras)
    rows, columns, matching = matches.same_identity(0, len(query.samples))
    return rows[matching], matches.kept[columns[matching]]


def _different(query: Embeddings, gallery: Embeddings) -> tuple[Int64, Int64]:
    rng = np.random.default_rng(0)
    rows: NDArray[np.int64] = rng.integers(len(query.samples), size=DRAWN)
    columns: NDArray[np.int64] = rng.integers(len(gallery.samples), size=DRAWN)
    ids = gallery.identities[columns]
    other = (query.identities[rows] != ids) & (ids >= 0)
    return rows[other], columns[other]


def _first(
    query: Embeddings, gallery: Embeddings, rows: Int64, columns: Int64, ordered_by: Float32
) -> tuple[Pair, ...]:
    """The pairs of the smallest numbers, one for the same two identities."""
    pairs: Iterable[int] = np.argsort(ordered_by, kind="stable")
    found: dict[tuple[int, int], Pair] = {}
    for place in pairs:
        one, other = query.samples[rows[place]], gallery.samples[columns[place]]
        people = min(one.identity, other.identity), max(one.identity, other.identity)
        found.setdefault(people, Pair(one, other, abs(float(ordered_by[place]))))
        if len(found) == SHOWN:
            break
    return tuple(found.values())
