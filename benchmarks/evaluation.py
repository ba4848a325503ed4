"""Time and peak memory of the evaluation beside the product alone, a full sort, and dense re-ranking.

    python benchmarks/evaluation.py                                  Market-1501 size: 3,368 queries, 15,913 images
    python benchmarks/evaluation.py --size msmt17                    11,659 queries, 82,161 images
    python benchmarks/evaluation.py --way product --way ours         only these
    python benchmarks/evaluation.py --device cuda                    ours and re-ranking there

product  nothing but the matrix product, a block at a time into the same memory: the floor of any exact evaluation
ours     `evaluate_features`
plain    holds the distance matrix and sorts every row of it
rerank   ours with k-reciprocal re-ranking
dense    the published re-ranking on N x N matrices, N = Q + G

Columns: time as a multiple of the product's; how many times as fast as `plain` (ours) or `dense` (rerank), by the
clock and by CPU time, and with which share of its memory. A way that needs more memory than is free is left out.
Features are drawn: a point for every person, noise around it for every image; little noise gives an easy task (mAP
0.9), much a hard one (mAP 0.05, matches deep in the ranking). Each run is a process of its own that reads the
features from files; rounds alternate between the ways, and the fastest run of each counts. `CPU` is the time of all
cores together, which other programs on the machine disturb less. Memory is the peak (Linux: VmHWM) above what the
process held once it had the features. Ways that compute the same agree on mAP.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from side_by_side.results import Column, Report, add_json, run

DIM = 256
CAMERAS = 6
DISTRACTORS = 0.17


@dataclass(frozen=True)
class Size:
    """How many images and people are drawn, and the noise of easy and hard features."""

    queries: int
    images: int
    people: int
    noise: dict[str, float]

    def bytes_needed(self, way: str) -> int:
        """Memory of the matrices that a way holds: distances and int64 positions, or four of [N, N] and its own."""
        total = self.queries + self.images
        return {"plain": 12 * self.queries * self.images, "dense": 24 * total**2}.get(way, 0)


SIZES = {
    "tiny": Size(60, 400, 20, {"easy": 1.55, "hard": 3.0}),
    "market1501": Size(3368, 15913, 750, {"easy": 1.55, "hard": 2.9}),
    "msmt17": Size(11659, 82161, 3060, {"easy": 1.4, "hard": 2.5}),
}
PARTS = ("query", "gallery", "query_ids", "gallery_ids", "query_cams", "gallery_cams")


def draw(size: Size, level: str) -> dict[str, np.ndarray]:
    """Arguments of `evaluate_features`."""
    random = np.random.default_rng(0)
    noise = np.float32(size.noise[level])
    points = random.standard_normal((size.people, DIM), dtype=np.float32)
    query_ids = random.integers(1, size.people + 1, size.queries)
    gallery_ids = random.integers(1, size.people + 1, size.images)
    gallery_ids[random.random(size.images) < DISTRACTORS] = 0
    strangers = random.standard_normal((size.images, DIM), dtype=np.float32)
    centres = np.where(gallery_ids[:, None] > 0, points[gallery_ids - 1], strangers)
    query = points[query_ids - 1] + noise * random.standard_normal((size.queries, DIM), dtype=np.float32)
    gallery = centres + noise * random.standard_normal((size.images, DIM), dtype=np.float32)
    cams = random.integers(0, CAMERAS, size.queries), random.integers(0, CAMERAS, size.images)
    return dict(zip(PARTS, (query, gallery, query_ids, gallery_ids, *cams), strict=True))


def product(query: np.ndarray, gallery: np.ndarray, *_: np.ndarray) -> None:
    """The matrix product, 256 rows at a time into the same memory."""
    block = np.empty((256, len(gallery)), np.float32)
    for start in range(0, len(query), len(block)):
        rows = query[start : start + len(block)]
        np.matmul(rows, gallery.T, out=block[: len(rows)])


def ours(device: str, *arguments: np.ndarray) -> float:
    from reidctl.retrieval import evaluate_features

    return evaluate_features(*arguments, device=device).mAP


def rerank(device: str, *arguments: np.ndarray) -> float:
    from reidctl.config import Rerank
    from reidctl.retrieval import evaluate_features

    return evaluate_features(*arguments, rerank=Rerank(), device=device).mAP


def plain(query: np.ndarray, gallery: np.ndarray, *labels: np.ndarray) -> float:
    """Normalise, multiply, sort every row, walk through it."""
    distances = unit(query) @ unit(gallery).T
    np.subtract(1, distances, out=distances)
    return mean_average_precision(distances, *labels)


def dense(query: np.ndarray, gallery: np.ndarray, *labels: np.ndarray) -> float:
    """Re-ranking as published, then as the plain way."""
    return mean_average_precision(dense_rerank(query, gallery), *labels)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def mean_average_precision(
    distances: np.ndarray,
    query_ids: np.ndarray,
    gallery_ids: np.ndarray,
    query_cams: np.ndarray,
    gallery_cams: np.ndarray,
) -> float:
    order = np.argsort(distances, axis=1)
    precisions = []
    for i, row in enumerate(order):
        same = gallery_ids[row] == query_ids[i]
        match = same[~(same & (gallery_cams[row] == query_cams[i]))]
        if match.any():
            places = np.flatnonzero(match) + 1
            precisions.append(np.mean(np.arange(1, len(places) + 1) / places))
    return float(np.mean(precisions))


def dense_rerank(query: np.ndarray, gallery: np.ndarray, k1: int = 20, k2: int = 6, share: float = 0.3) -> np.ndarray:
    """Z. Zhong et al., CVPR 2017, section 3, as a program over dense [N, N] matrices, row by row."""
    features = unit(np.concatenate([query, gallery]))
    distances = features @ features.T
    np.subtract(1, distances, out=distances)
    np.square(distances, out=distances)
    distances /= distances.max(axis=1, keepdims=True)
    near = np.argsort(distances, axis=1)[:, : k1 + 1].copy()

    def reciprocal(i: int, k: int) -> np.ndarray:
        forward = near[i, : k + 1]
        return forward[(near[forward, : k + 1] == i).any(axis=1)]

    weights = np.zeros_like(distances)
    for i in range(len(features)):
        own = reciprocal(i, k1)
        expanded = own
        for j in own:
            candidates = reciprocal(j, round(k1 / 2))
            if 3 * len(np.intersect1d(candidates, own)) > 2 * len(candidates):
                expanded = np.append(expanded, candidates)
        expanded = np.unique(expanded)
        gaussian = np.exp(-distances[i, expanded])
        weights[i, expanded] = gaussian / gaussian.sum()
    weights = np.stack([weights[row].mean(axis=0) for row in near[:, :k2]])
    with_weight = [np.flatnonzero(column) for column in weights.T]
    final = share * distances[: len(query)]
    for i, row in enumerate(final):
        overlap = np.zeros(len(features), np.float32)
        for j in np.flatnonzero(weights[i]):
            overlap[with_weight[j]] += np.minimum(weights[i, j], weights[with_weight[j], j])
        row += (1 - share) * (1 - overlap / (2 - overlap))
    return final[:, len(query) :]


WAYS = ("product", "ours", "plain", "rerank", "dense")
BASES = {"ours": "plain", "rerank": "dense"}
COLUMNS = (
    Column("size", "size", width=12),
    Column("features", "features", width=10),
    Column("way", "way", width=9),
    Column("seconds", "time s", ",.2f"),
    Column("cpu_seconds", "CPU s", ",.2f"),
    Column("peak_mib", "memory MiB", ",.0f"),
    Column("mAP", "mAP", ".4f"),
    Column("of_product", "of product", ",.2f"),
    Column("speedup", "times as fast", ",.1f"),
    Column("cpu_speedup", "by CPU time", ",.1f"),
    Column("memory_ratio", "memory, share", ".2f"),
)


def way_of(name: str, device: str) -> Callable[..., float | None]:
    return {
        "product": product,
        "ours": partial(ours, device),
        "plain": plain,
        "rerank": partial(rerank, device),
        "dense": dense,
    }[name]


def mebibytes(path: str, key: str) -> float:
    """A figure of /proc, which counts in kB."""
    line = next(line for line in Path(path).read_text().splitlines() if line.startswith(f"{key}:"))
    return int(line.split()[1]) / 1024


def child(folder: Path, way: str, device: str, repeat: int) -> dict[str, Any]:
    """The fastest of some runs, and the peak of memory over them all."""
    arguments = [np.load(folder / f"{part}.npy") for part in PARTS]
    before = mebibytes("/proc/self/status", "VmRSS")
    seconds, cpu_seconds, mean = [], [], None
    for _ in range(repeat):
        started, cpu_started = time.perf_counter(), time.process_time()
        mean = way_of(way, device)(*arguments)
        seconds.append(time.perf_counter() - started)
        cpu_seconds.append(time.process_time() - cpu_started)
    peak = mebibytes("/proc/self/status", "VmHWM") - before
    return {"seconds": min(seconds), "cpu_seconds": min(cpu_seconds), "peak_mib": peak, "mAP": mean}


def measure(size: str, level: str, ways: list[str], device: str, rounds: int) -> Iterator[dict[str, Any]]:
    """One row a way, fastest of the rounds. The slow ways run once: they are minutes, and noise is seconds."""
    free = 2**20 * mebibytes("/proc/meminfo", "MemAvailable")
    found: dict[str, dict[str, Any]] = {}
    with TemporaryDirectory() as folder:
        for part, array in draw(SIZES[size], level).items():
            np.save(Path(folder) / f"{part}.npy", array)
        for turn in range(rounds):
            for way in ways:
                slow = way == "dense" or (way in ("plain", "rerank") and size == "msmt17")
                if SIZES[size].bytes_needed(way) > free or (turn and slow):
                    continue
                command = [sys.executable, __file__, "--child", folder, "--way", way, "--device", device]
                command += ["--rounds", "1" if slow or size == "msmt17" else "2"]
                # With the environment that importing reidctl has prepared for numpy, as every way has it.
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                row = json.loads(done.stdout)
                best = found.setdefault(way, {"size": size, "features": level, "way": way, **row})
                best.update({key: min(best[key], row[key]) for key in ("seconds", "cpu_seconds")})
    yield from (with_ratios(row, found) for row in found.values())


def with_ratios(row: dict[str, Any], found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The row, its time as a multiple of the product's, and speed and memory beside the plain way to compute it."""
    compared: dict[str, Any] = {}
    if "product" in found:
        compared["of_product"] = row["seconds"] / found["product"]["seconds"]
    base = found.get(BASES.get(row["way"], ""))
    if base:
        compared["speedup"] = base["seconds"] / row["seconds"]
        compared["cpu_speedup"] = base["cpu_seconds"] / row["cpu_seconds"]
        compared["memory_ratio"] = row["peak_mib"] / base["peak_mib"]
    return row | compared


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, action="append", help="repeatable; default: market1501")
    parser.add_argument("--features", choices=("easy", "hard"), action="append", help="repeatable; default: both")
    parser.add_argument("--way", choices=WAYS, action="append", help="repeatable; default: all")
    parser.add_argument("--device", default="cpu", help="where ours and rerank compute: cpu, cuda, cuda:N")
    parser.add_argument("--rounds", type=int, default=3, help="turns of all ways but the slow ones, which have one")
    add_json(parser)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    ways = options.way or list(WAYS)
    if options.child:
        print(json.dumps(child(options.child, ways[0], options.device, options.rounds)))
        return
    report = Report(options.json)
    table = report.table("", *COLUMNS)
    for size in options.size or ["market1501"]:
        for level in options.features or ["easy", "hard"]:
            rows = list(measure(size, level, ways, options.device, options.rounds))
            for row in rows:
                table.add(row)
            for way in ways:
                if way not in [row["way"] for row in rows]:
                    report.note(f"{size}, {level}: {way} needs more memory than was free.")
    report.finish()


if __name__ == "__main__":
    run(main)
