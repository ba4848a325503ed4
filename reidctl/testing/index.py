"""The contract of an index."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reidctl.errors import InputError
from reidctl.index import Found
from reidctl.types import Embeddings, Sample

if TYPE_CHECKING:
    from reidctl.index import Index


def check_index(opened: Callable[[int | None], Index]) -> None:
    """An index finds what a loop over all finds, keeps it, and takes it away.

    opened(dim) opens one place, at which there is nothing at first: with a length of embeddings it is made where it is
    not there, with None it must be there.
    """
    try:
        opened(None)
    except InputError:
        pass
    else:
        raise AssertionError("a place where there is nothing can be opened")
    rows = example_embeddings(60, 8)
    times = np.where(np.arange(60) % 5 == 0, np.nan, 1000.0 + np.arange(60))
    index = opened(8)
    assert len(index) == 0, f"a new index holds {len(index)}"
    index.add(rows, times)
    _check_found(index, rows, times)
    names = [sample.name for sample in rows.samples]
    assert index.delete([*names[:10], "nobody"]) == 10, "`delete` does not tell how many it took away"
    index.close()
    again = opened(None)
    assert again.dim == 8, f"opened again, `dim` is {again.dim}, not 8"
    left = Embeddings(rows.vectors[10:], rows.samples[10:])
    _check_found(again, left, times[10:])
    moved = Embeddings(np.ascontiguousarray(left.vectors[::-1]), left.samples)
    again.add(moved)
    _check_found(again, moved, np.full(50, np.nan))
    for what, vectors in (("another length", np.ones((1, 7), np.float32)), ("zeros", np.zeros((1, 8), np.float32))):
        for act in (lambda v=vectors: again.search(v, 1), lambda v=vectors: again.add(Embeddings(v, rows.samples[:1]))):
            _check_refused(act, f"a vector of {what}")
    _check_refused(lambda: again.search(rows.vectors[:1], 0), "k = 0")
    twice = Embeddings(rows.vectors[:2], (rows.samples[0], rows.samples[0]))
    _check_refused(lambda: again.add(twice), "one name twice")
    _check_refused(lambda: opened(9), "an index of embeddings of another length")
    assert len(again) == 50, f"what was refused changed the index: it holds {len(again)}, not 50"
    again.close()


def example_embeddings(count: int, dim: int) -> Embeddings:
    """Random vectors of people seen by four cameras, named with what is hard to quote."""
    generator = np.random.default_rng(0)
    samples = tuple(Sample(Path(f"/{row}.jpg"), f"it's {row}", row % 7 - 1, row % 4) for row in range(count))
    return Embeddings(generator.standard_normal((count, dim)).astype(np.float32), samples)


def _check_refused(act: Callable[[], object], what: str) -> None:
    try:
        act()
    except InputError:
        return
    raise AssertionError(f"{what} is no InputError")


def _check_found(index: Index, rows: Embeddings, times: np.ndarray[Any, Any]) -> None:
    """Every filter finds what a loop over the rows finds."""
    assert len(index) == len(rows.samples), f"the index holds {len(index)}, not {len(rows.samples)}"
    generator = np.random.default_rng(1)
    queries = np.concatenate([rows.vectors[:3], generator.standard_normal((3, rows.vectors.shape[1]))])
    queries = queries.astype(np.float32)
    filters: list[dict[str, Any]] = [
        {},
        {"cameras": [1]},
        {"cameras": {0, 3}},
        {"cameras": [77]},
        {"cameras": []},
        {"since": 1020.0},
        {"until": 1043.0},
        {"cameras": [2, 3], "since": 1018.0, "until": 1039.0},
    ]
    for chosen in filters:
        for k in (1, 5, 200):
            found = index.search(queries, k, **chosen)
            assert len(found) == len(queries), f"{len(found)} answers for {len(queries)} queries"
            for query, near in zip(queries, found, strict=True):
                _check_near(near, _wanted(query, k, rows, times, **chosen), f"k={k} {chosen}")


def _wanted(
    query: np.ndarray[Any, Any],
    k: int,
    rows: Embeddings,
    times: np.ndarray[Any, Any],
    cameras: Any = None,
    since: float | None = None,
    until: float | None = None,
) -> list[Found]:
    """By the definition."""
    near = []
    for vector, sample, time in zip(rows.vectors.astype(float), rows.samples, times.tolist(), strict=True):
        in_time = (since is None or time >= since) and (until is None or time < until)
        if in_time and (cameras is None or sample.camera in cameras):
            cosine = vector @ query / (np.linalg.norm(vector) * np.linalg.norm(query))
            near.append(Found(sample, 1 - cosine, None if np.isnan(time) else time))
    return sorted(near, key=lambda each: each.distance)[:k]


def _check_near(near: list[Found], wanted: list[Found], where: str) -> None:
    names = [each.sample.name for each in near]
    assert names == [each.sample.name for each in wanted], f"{where}: not the nearest, or not in their order"
    for got, right in zip(near, wanted, strict=True):
        assert got.sample == right.sample, f"{where}: the labels of '{right.sample.name}' are {got.sample}"
        assert got.time == right.time, f"{where}: the time of '{right.sample.name}' is {got.time}, not {right.time}"
        assert abs(got.distance - right.distance) < 1e-4, f"{where}: distance {got.distance}, not {right.distance:.4f}"
