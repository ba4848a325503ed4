"""What an evaluation is given, checked once, and fed in blocks of distances to whatever counts them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from reidctl.errors import InputError
from reidctl.retrieval.arrays import thread_pool
from reidctl.retrieval.distance import TILE_ROWS, Metric, require_metric
from reidctl.retrieval.ranks import Matches
from reidctl.retrieval.reranking import distance_blocks

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from numpy.typing import ArrayLike, NDArray

    from reidctl.config import Rerank
    from reidctl.retrieval.on_device import Block
    from reidctl.types import Float32, Int64

    Bool = NDArray[np.bool_]


class BlockCounter(Protocol):
    """Takes distances as they come; several of them share one pass."""

    def add(self, block: Float32, start: int, pool: Executor) -> None:
        """Count the distances block [b, G'] of the queries from start on; the block is overwritten afterwards."""
        ...


@dataclass(frozen=True)
class EvaluationInput:
    """Queries [Q] and what is ranked for them: the G' gallery images that are not junk.

    query_features [Q, D] and gallery_features [G', D] with their identities and cameras; `matches` says which is whose.
    """

    matches: Matches
    query_features: Float32
    query_ids: Int64
    query_cams: Int64
    gallery_features: Float32
    gallery_ids: Int64
    gallery_cams: Int64
    metric: Metric
    rerank: Rerank | None
    device: str = "cpu"

    @classmethod
    def checked(
        cls,
        query_features: Float32,
        gallery_features: Float32,
        query_ids: ArrayLike,
        gallery_ids: ArrayLike,
        query_cams: ArrayLike,
        gallery_cams: ArrayLike,
        metric: Metric,
        rerank: Rerank | None,
        device: str = "cpu",
    ) -> EvaluationInput:
        """From features, identities and cameras of the whole gallery.

        InputError for an empty side, shapes that disagree, a zero vector where the metric is `cosine`, and where no
        query has a match; ConfigError for an unknown metric. Numbers that are not finite are found when they are read.
        """
        require_metric(metric)
        require_images(query_features, gallery_features)
        matches = Matches(query_ids, gallery_ids, query_cams, gallery_cams)
        queries, gallery = matches.queries(query_features), matches.gallery(gallery_features)
        matches.require_valid()
        require_distances(queries, gallery, metric)
        return cls(
            matches=matches,
            query_features=queries,
            query_ids=np.asarray(query_ids, np.int64),
            query_cams=np.asarray(query_cams, np.int64),
            gallery_features=gallery,
            gallery_ids=np.asarray(gallery_ids, np.int64)[matches.kept],
            gallery_cams=np.asarray(gallery_cams, np.int64)[matches.kept],
            metric=metric,
            rerank=rerank,
            device=device,
        )

    @property
    def valid(self) -> Bool:
        """[Q] whether the query has a match."""
        return self.matches.counts > 0

    def blocks(self) -> Iterator[Block]:
        """Distances [b, G'] of consecutive queries, where `device` has them; each is overwritten by the next."""
        return distance_blocks(self.query_features, self.gallery_features, self.metric, self.rerank, self.device)

    def feed(self, *counters: BlockCounter) -> None:
        """Compute every distance once, and let all counters see it, as an array."""
        start = 0
        with thread_pool() as pool:
            for block in self.blocks():
                array = np.asarray(block)
                for counter in counters:
                    counter.add(array, start, pool)
                start += len(block)


def require_images(query: Float32, gallery: Float32) -> None:
    """InputError for an empty side."""
    for what, features in (("query", query), ("gallery", gallery)):
        if not len(features):
            raise InputError(f"the {what} is empty", "an evaluation needs images to look for and images to find")


def require_distances(query: Float32, gallery: Float32, metric: Metric) -> None:
    """InputError for a zero vector on either side where the metric is `cosine`."""
    if metric == "cosine":
        require_directions(query, "query")
        require_directions(gallery, "gallery")


def require_directions(features: Float32, what: str) -> None:
    """InputError for a vector of zeros, which has no cosine distance."""
    for start in range(0, len(features), TILE_ROWS):
        rows = np.asarray(features[start : start + TILE_ROWS])
        empty = ~rows.reshape(len(rows), -1).any(axis=1)
        if rows.ndim == 2 and empty.any():
            raise InputError(
                f"{what} features: row {start + int(empty.argmax())} is all zeros, which has no cosine distance",
                "a network that answers zeros is broken or was exported wrongly; the euclidean metric takes them",
            )
