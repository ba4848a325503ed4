"""k-reciprocal re-ranking on neighbour lists and sparse rows.

Z. Zhong et al., Re-ranking Person Re-identification with k-reciprocal Encoding, CVPR 2017, section 3. The
published program works on dense [N, N] matrices of the N = Q + G images; this one keeps k1 + 1 neighbours and
some dozens of weights per image and gives the same distances.

What it keeps of that program: distances are squared before use (so with the `euclidean` metric, which is
squared already, the fourth power of the Euclidean distance counts), and those of image i are divided by
the largest of them, over query and gallery alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from typing import TYPE_CHECKING

import numpy as np

from reidctl.errors import ConfigError
from reidctl.retrieval.arrays import ragged, row_groups, thread_pool
from reidctl.retrieval.distance import GalleryDistances, Metric, pair_distances, prepared
from reidctl.retrieval.nearest import nearest
from reidctl.retrieval.sparse import JaccardDistances, SparseRows

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from reidctl.config import Rerank
    from reidctl.retrieval.on_device import Block, DeviceJaccard
    from reidctl.types import Float32, Int64

    Bool = NDArray[np.bool_]
    Int32 = NDArray[np.int32]

CHUNK_ROWS = 1024


def distance_blocks(
    query_features: Float32, gallery_features: Float32, metric: Metric, spec: Rerank | None, device: str = "cpu"
) -> Iterator[Block]:
    """Blocks [b, G] of distances, re-ranked if a spec is given; each is overwritten by the next.

    device: `cpu` computes with numpy and gives arrays; `cuda`, `cuda:N`, or `auto` where torch sees a GPU, gives
    `DeviceBlock`s, which stay there. ConfigError for a device that is not there.
    """
    if spec is None:
        return _blocks(query_features, gallery_features, metric, place_of(device))
    return rerank(query_features, gallery_features, spec.k1, spec.k2, spec.lambda_value, metric, device)


def place_of(device: str) -> torch.device | None:
    """The GPU that a name means; None for the CPU, where numpy computes."""
    if device == "cpu":
        return None
    from reidctl.devices import resolve_device

    place = resolve_device(device)
    return None if place.type == "cpu" else place


def rerank(
    query_features: Float32,
    gallery_features: Float32,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
    metric: Metric = "cosine",
    device: str = "cpu",
) -> Iterator[Block]:
    """Final distances of consecutive queries in blocks [b, G] float32, together [Q, G]; smaller is more alike.

    query_features [Q, D], gallery_features [G, D], arrays or memory maps; k1 neighbours define an image's reciprocal
    set, the sets of its k2 nearest are averaged, and lambda_value 0…1 is the share of the original distance in the
    final one. device: as for `distance_blocks`; `np.asarray` makes an array of any block.
    A block is overwritten by the next one. Time grows with (Q + G)², memory with Q + G.
    ConfigError for numbers that are out of range, another metric, or a device that is not there.
    """
    if k1 < 1 or k2 < 1 or not 0 <= lambda_value <= 1:
        raise ConfigError(
            f"re-ranking with k1 {k1}, k2 {k2}, lambda {lambda_value} is not possible",
            "k1 and k2 are at least 1, lambda lies between 0 and 1; 20, 6 and 0.3 are usual",
        )
    place = place_of(device)
    features = prepared(query_features, gallery_features, metric)
    with thread_pool() as pool:
        lists, largest = _neighbour_lists(features, max(k1 + 1, k2), metric, place, pool)
        encoding = _encode(features, lists[:, : k1 + 1], lists[:, : round(k1 / 2) + 1], largest, metric, pool)
        if k2 > 1:
            encoding = _averaged(encoding, lists[:, :k2], pool)
    return _final_blocks(features, encoding, largest, len(query_features), lambda_value, metric, place)


def _blocks(queries: Float32, gallery: Float32, metric: Metric, place: torch.device | None) -> Iterator[Block]:
    distances = GalleryDistances(gallery, metric)
    if place is None:
        return distances.blocks(queries)
    from reidctl.retrieval.on_device import device_blocks

    return device_blocks(distances, queries, place)


def _final_blocks(
    features: Float32,
    encoding: SparseRows,
    largest: Float32,
    queries: int,
    share: float,
    metric: Metric,
    place: torch.device | None,
) -> Iterator[Block]:
    """share of the original distance and the rest of the Jaccard distance (equation 12)."""
    jaccard = _jaccard(encoding, queries, place)
    scale = (share / largest[:queries, None]).astype(np.float32)
    start = 0
    with thread_pool() as pool:
        for block in _blocks(features[:queries], features[queries:], metric, place):
            jaccard.mix(block, start, scale[start : start + len(block)], 1 - share, pool)
            yield block
            start += len(block)


def _jaccard(encoding: SparseRows, queries: int, place: torch.device | None) -> JaccardDistances | DeviceJaccard:
    jaccard = JaccardDistances(encoding, queries)
    if place is None:
        return jaccard
    from reidctl.retrieval.on_device import DeviceJaccard

    return DeviceJaccard(jaccard, place)


def _neighbour_lists(
    features: Float32, count: int, metric: Metric, place: torch.device | None, pool: Executor
) -> tuple[Int32, Float32]:
    """The nearest `count` images of every image [N, count], itself among them, and its largest squared distance [N]."""
    lists, largest = [], []
    for block in _blocks(features, features, metric, place):
        lists.append(nearest(block, count, pool).indices.astype(np.int32))
        largest.append(_row_maxima(block, pool))
    scale = np.square(np.concatenate(largest))
    return np.concatenate(lists), np.where(scale > 0, scale, np.float32(1))


def _row_maxima(block: Block, pool: Executor) -> Float32:
    if not isinstance(block, np.ndarray):
        return block.maxima()
    return np.concatenate(list(pool.map(lambda group: block[group].max(axis=1), row_groups(block))))


def _reciprocal(lists: Int32) -> Int32:
    """lists [N, k] where image i is among the neighbours of its neighbour too, -1 elsewhere."""
    own = np.arange(len(lists), dtype=np.int32)[:, None]
    mutual = np.zeros(lists.shape, np.bool_)
    for column in np.ascontiguousarray(lists.T):
        mutual |= column[lists] == own
    return np.where(mutual, lists, np.int32(-1))


def _encode(
    features: Float32, lists: Int32, half: Int32, largest: Float32, metric: Metric, pool: Executor
) -> SparseRows:
    """Gaussian weights of each image's expanded reciprocal set, as rows that sum to 1 (equations 3, 5 and 7).

    lists [N, k1 + 1] are the neighbours, half [N, k1 / 2 + 1] their first half.
    """
    sets, half_sets = _reciprocal(lists), _reciprocal(half)

    def rows_from(start: int) -> tuple[Int64, Int32, Float32]:
        rows, columns = _expanded(sets[start : start + CHUNK_ROWS], half_sets)
        distances = np.square(pair_distances(features, start + rows, columns, metric))
        weights = np.exp(-distances / largest[start + rows])
        return start + rows, columns, (weights / np.bincount(rows, weights)[rows]).astype(np.float32)

    return SparseRows.joined(pool.map(rows_from, range(0, len(sets), CHUNK_ROWS)), len(sets))


def _expanded(sets: Int32, half_sets: Int32) -> tuple[Int64, Int32]:
    """Each set [b, k] joined with the half set of every member that lies in it by more than two thirds.

    Entries (row, image) ordered by row and image, each once; half_sets [N, h].
    """
    candidates = half_sets[sets]  # [b, k, h]
    present = (candidates >= 0) & (sets >= 0)[..., None]
    inside = np.zeros(candidates.shape, np.bool_)
    for member in sets.T:
        inside |= candidates == member[:, None, None]
    accepted = 3 * (inside & present).sum(axis=2) > 2 * present.sum(axis=2)
    joined = np.where(present & accepted[..., None], candidates, np.int32(-1)).reshape(len(sets), -1)
    entries = np.sort(np.concatenate([sets, joined], axis=1), axis=1)
    first = entries >= 0
    first[:, 1:] &= entries[:, 1:] != entries[:, :-1]
    rows, places = np.nonzero(first)
    return rows, entries[rows, places]


def _averaged(encoding: SparseRows, neighbours: Int32, pool: Executor) -> SparseRows:
    """Row i becomes the mean of the rows neighbours[i] (local query expansion, equation 11)."""

    def rows_from(start: int) -> tuple[Int64, Int32, Float32]:
        near = neighbours[start : start + CHUNK_ROWS]
        lengths = (encoding.starts[near + 1] - encoding.starts[near]).reshape(-1)
        entries = ragged(encoding.starts[near].reshape(-1), lengths)
        rows = np.repeat(np.repeat(np.arange(len(near)), near.shape[1]), lengths)
        keys = (rows << 32) + encoding.columns[entries]
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        firsts = np.flatnonzero(np.diff(keys, prepend=-1))
        weights: Float32 = np.add.reduceat(encoding.weights[entries][order], firsts)
        weights /= near.shape[1]
        return start + (keys[firsts] >> 32), keys[firsts].astype(np.int32), weights

    return SparseRows.joined(pool.map(rows_from, range(0, len(neighbours), CHUNK_ROWS)), len(neighbours))
