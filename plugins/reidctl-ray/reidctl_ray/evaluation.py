"""Evaluate on a cluster: each actor holds a part of the gallery, and blocks of queries go round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from reidctl.errors import InputError
from reidctl.retrieval.features import Features
from reidctl.retrieval.sharded import GalleryPart, QueryBlock, joined_matches, metrics_of
from reidctl_ray.cluster import cores, failure, require_room

if TYPE_CHECKING:
    from reidctl.types import Metrics

Metric = Literal["cosine", "euclidean"]
Rule = Literal["step", "trapezoid"]


class PartOfGallery:
    """Rows start…stop of feature files, read when they are first asked about: an actor that died reads them again."""

    def __init__(self, paths: Sequence[Path], start: int, stop: int, metric: Metric) -> None:
        self._paths, self._start, self._stop, self._metric = paths, start, stop, metric

    @cached_property
    def _rows(self) -> tuple[GalleryPart, int]:
        vectors, identities, cameras, first = [], [], [], 0
        for file in Features.open(self._paths).files:
            low, high = max(self._start - first, 0), min(self._stop - first, file.rows)
            first += file.rows
            if low >= high:
                continue
            at = 0
            for labels, block in zip(file.labels(), file.vectors(), strict=True):
                here = slice(max(low - at, 0), max(high - at, 0))
                vectors.append(block[here])
                identities.append(labels.identities[here])
                cameras.append(labels.cameras[here])
                at += len(block)
        ids = np.concatenate(identities)
        part = GalleryPart(np.concatenate(vectors), ids, np.concatenate(cameras), self._metric)
        return part, int((ids >= 0).sum())

    def size(self) -> int:
        """Images that are not junk."""
        return self._rows[1]

    def matches(self, queries: QueryBlock) -> Any:
        """`GalleryPart.matches`."""
        return self._rows[0].matches(queries)

    def wrong_within(self, queries: QueryBlock, thresholds: Any) -> Any:
        """`GalleryPart.wrong_within`."""
        return self._rows[0].wrong_within(queries, thresholds)


def evaluate_on_cluster(
    query: Sequence[Path],
    gallery: Sequence[Path],
    *,
    parts: int = 0,
    metric: Metric = "cosine",
    ranks: Sequence[int] = (1, 5, 10, 20),
    ap_rule: Rule = "step",
    progress: Callable[[int], None] | None = None,
) -> Metrics:
    """Figures of feature files as `reidctl.evaluate_features` gives them, on the cluster this process is in.

    parts: pieces that the gallery is cut into, one an actor with a core of its own; 0 for as many as there are cores.
    progress takes how many queries more are done. InputError for files of two models, and as for evaluate_features;
    ConfigError where there are fewer cores than parts.
    """
    from ray.exceptions import RayError

    queries, images = Features.open(query), Features.open(gallery)
    _require_comparable(queries, images)
    if not queries.rows or not images.rows:
        raise InputError(f"{queries.rows} queries and {images.rows} gallery images", "neither side may be empty")
    parts = min(parts or cores(), images.rows)
    require_room(parts, 1, 0)
    blocks = list(QueryBlock.cut(queries.embeddings()))
    try:
        return _figures(
            blocks, [path.absolute() for path in gallery], images.rows, parts, metric, ranks, ap_rule, progress
        )
    except RayError as error:
        raise failure(error) from error


def _figures(
    blocks: Sequence[QueryBlock],
    gallery: Sequence[Path],
    rows: int,
    parts: int,
    metric: Metric,
    ranks: Sequence[int],
    ap_rule: Rule,
    progress: Callable[[int], None] | None,
) -> Metrics:
    import ray

    remote = ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=-1)(PartOfGallery)
    edges = [rows * part // parts for part in range(parts + 1)]
    actors = [remote.remote(gallery, start, stop, metric) for start, stop in pairwise(edges)]
    size = sum(ray.get([actor.size.remote() for actor in actors]))
    found = []
    asked: list[tuple[Any, list[Any]]] = []
    for place, block in enumerate(blocks):
        # One block is measured while the one before it is counted.
        for ahead in blocks[place + len(asked) : place + 2]:
            sent = ray.put(ahead)
            asked.append((sent, [actor.matches.remote(sent) for actor in actors]))
        sent, answers = asked.pop(0)
        matches = joined_matches(ray.get(answers), len(block.ids))
        thresholds = ray.put(matches.thresholds)
        wrong = ray.get([actor.wrong_within.remote(sent, thresholds) for actor in actors])
        found.append(matches.ranks(np.sum(wrong, axis=0)))
        if progress:
            progress(len(block.ids))
    for actor in actors:
        ray.kill(actor)
    return metrics_of(found, size, metric=metric, ranks=ranks, ap_rule=ap_rule)


def _require_comparable(queries: Features, gallery: Features) -> None:
    different = queries.made.differences(gallery.made) if queries.made and gallery.made else []
    if queries.dim != gallery.dim:
        different = [f"embeddings of {queries.dim} / {gallery.dim} numbers"]
    if different:
        raise InputError(
            f"{queries.files[0].path} and {gallery.files[0].path} do not go together: {', '.join(different)}",
            "one model must make them all",
        )
