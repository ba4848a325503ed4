"""Recall, queries a second and size of the index, beside exact search and Qdrant's embedded mode.

    python benchmarks/indexes.py                     50,000 embeddings of 256 numbers, twenty a person
    python benchmarks/indexes.py --rows 200000 --ways exact,lancedb
    pip install qdrant-client                        which the way `qdrant` needs

    exact        one product and a partial sort of numpy, everything in memory: what the others are compared with
    lancedb 0    the package's index without lists: exact, from disk
    lancedb      with lists
    qdrant       qdrant-client with a path: the server's interface, its points in SQLite and in memory

Vectors are a person's point and noise of 0.9 times its spread around it, the queries as well. Recall is of the ten
nearest; `one camera` asks for those of one of six cameras. Queries go together where that can be said, as in
`reidctl indexes search`, else one by one. `add` includes building lists; `open` is what a new process waits for; MB are
on disk.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from reidctl.types import Embeddings, Sample
from reidctl_lancedb.index import LanceIndex

DIM, K, CAMERAS, QUERIES = 256, 10, 6, 64
Search = Callable[[Any, "int | None"], list[list[int]]]


class Crowd:
    """Embeddings of people, queries, and the right answers."""

    def __init__(self, rows: int) -> None:
        random = np.random.default_rng(0)
        points = random.standard_normal((max(rows // 20, QUERIES), DIM))
        vectors = points[np.arange(rows) % len(points)] + 0.9 * random.standard_normal((rows, DIM))
        queries = points[:QUERIES] + 0.9 * random.standard_normal((QUERIES, DIM))
        self.vectors, self.queries = vectors.astype(np.float32), queries.astype(np.float32)
        self.cameras = np.arange(rows) % CAMERAS
        self.units = self.vectors / np.linalg.norm(self.vectors, axis=1, keepdims=True)

    def exact(self, queries: Any, camera: int | None) -> list[list[int]]:
        rows = np.arange(len(self.units)) if camera is None else np.flatnonzero(self.cameras == camera)
        units = self.units if camera is None else self.units[rows]
        cosines = queries / np.linalg.norm(queries, axis=1, keepdims=True) @ units.T
        nearest = np.argpartition(-cosines, K, axis=1)[:, :K]
        found: list[list[int]] = rows[nearest].tolist()
        return found

    def embeddings(self) -> Embeddings:
        cameras = self.cameras.tolist()
        return Embeddings(
            self.vectors, tuple(Sample(Path(f"{row}.jpg"), str(row), row, camera) for row, camera in enumerate(cameras))
        )


def lancedb(crowd: Crowd, place: Path, approximate_from: int) -> tuple[float, Callable[[], Search]]:
    embeddings, started = crowd.embeddings(), time.perf_counter()
    index = LanceIndex(approximate_from, location=str(place), dim=DIM)
    index.add(embeddings)
    elapsed = time.perf_counter() - started
    index.close()

    def opened() -> Search:
        index = LanceIndex(approximate_from, location=str(place))

        def search(queries: Any, camera: int | None) -> list[list[int]]:
            found = index.search(queries, K, cameras=None if camera is None else [camera])
            return [[int(one.sample.name) for one in near] for near in found]

        return search

    return elapsed, opened


def qdrant(crowd: Crowd, place: Path) -> tuple[float, Callable[[], Search]]:
    from qdrant_client import QdrantClient, models

    started = time.perf_counter()
    client = QdrantClient(path=str(place))
    client.create_collection("people", vectors_config=models.VectorParams(size=DIM, distance=models.Distance.COSINE))
    for start in range(0, len(crowd.vectors), 1000):
        rows = range(start, min(start + 1000, len(crowd.vectors)))
        payloads = [{"name": str(row), "camera": int(crowd.cameras[row])} for row in rows]
        batch = models.Batch(ids=list(rows), vectors=crowd.vectors[rows.start : rows.stop].tolist(), payloads=payloads)
        client.upsert("people", points=batch)
    elapsed = time.perf_counter() - started
    client.close()

    def opened() -> Search:
        client = QdrantClient(path=str(place))

        def search(queries: Any, camera: int | None) -> list[list[int]]:
            matching = [] if camera is None else [models.MatchValue(value=camera)]
            chosen = models.Filter(must=[models.FieldCondition(key="camera", match=each) for each in matching])
            found = [
                client.query_points("people", query=query.tolist(), limit=K, query_filter=chosen) for query in queries
            ]
            return [[int(point.id) for point in each.points] for each in found]

        return search

    return elapsed, opened


def measured(search: Search, crowd: Crowd, camera: int | None, wanted: list[list[int]]) -> tuple[float, float]:
    """Recall, and queries a second: the best of three rounds after one to warm up."""
    found = search(crowd.queries, camera)
    rounds = []
    for _ in range(3):
        started = time.perf_counter()
        search(crowd.queries, camera)
        rounds.append(time.perf_counter() - started)
    hits = [len(set(near) & set(right)) / K for near, right in zip(found, wanted, strict=True)]
    return float(np.mean(hits)), len(crowd.queries) / min(rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--ways", default="exact,lancedb 0,lancedb,qdrant")
    options = parser.parse_args()
    crowd = Crowd(options.rows)
    wanted = {camera: crowd.exact(crowd.queries, camera) for camera in (None, 3)}
    print(f"{options.rows:,} embeddings of {DIM}, {QUERIES} queries, {crowd.vectors.nbytes / 1e6:.0f} MB of numbers")
    columns = ("add s", "open s", "MB", "recall", "query/s", "one camera: recall", "query/s")
    print(" ".join([" " * 12, *columns]))
    with tempfile.TemporaryDirectory() as folder:
        ways: dict[str, Callable[[Path], tuple[float, Callable[[], Search]]]] = {
            "exact": lambda place: (0.0, lambda: crowd.exact),
            "lancedb 0": lambda place: lancedb(crowd, place, 0),
            "lancedb": lambda place: lancedb(crowd, place, 1000),
            "qdrant": lambda place: qdrant(crowd, place),
        }
        for name in options.ways.split(","):
            place = Path(folder, name)
            elapsed, opened = ways[name](place)
            started = time.perf_counter()
            search = opened()
            waited = time.perf_counter() - started
            plain, filtered = (measured(search, crowd, camera, right) for camera, right in wanted.items())
            size = sum(file.stat().st_size for file in place.rglob("*") if file.is_file()) / 1e6
            figures = [f"{elapsed:.1f}", f"{waited:.2f}", f"{size:.0f}"]
            figures += [text for recall, speed in (plain, filtered) for text in (f"{recall:.3f}", f"{speed:.0f}")]
            cells = [text.rjust(len(column)) for text, column in zip(figures, columns, strict=True)]
            print(" ".join([name.ljust(12), *cells]), flush=True)
    sites = {"lancedb": "lancedb lance_namespace", "qdrant": "qdrant_client grpc portalocker"}
    for name, packages in sites.items():
        found = [find_spec(package) for package in packages.split()]
        homes = [str(Path(each.origin).parent) for each in found if each and each.origin]
        if len(homes) == len(found):
            told = subprocess.run(["du", "-cm", "-s", *homes], capture_output=True, text=True, check=True).stdout
            print(f"installed, {name}: {told.splitlines()[-1].split()[0]} MB ({packages.replace(' ', ', ')})")


if __name__ == "__main__":
    main()
