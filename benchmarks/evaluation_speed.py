"""Time and peak memory of the evaluation, ours against the plain way, each in a process of its own.

    python benchmarks/evaluation_speed.py                      Market-1501 size: 3,368 queries, 15,913 images
    python benchmarks/evaluation_speed.py --size msmt17        11,659 queries, 82,161 images
    python benchmarks/evaluation_speed.py --rerank             k-reciprocal re-ranking as well (ours only)

The plain way holds the distance matrix and sorts every row of it. Features are drawn: a point for every
person, noise around it for every image; at Market-1501 size little noise gives an easy task (mAP 0.9), much a hard one
(mAP 0.04, matches deep in the ranking). Both see the same features and must agree on mAP.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

SIZES = {"tiny": (60, 400, 20), "market1501": (3368, 15913, 750), "msmt17": (11659, 82161, 3060)}
NOISE = {"easy": 1.55, "hard": 3.0}
DISTRACTORS = 0.17
CAMERAS = 6


@dataclass(frozen=True)
class Task:
    """What is measured, as the command line of the child process gives it."""

    way: str
    size: str
    level: str
    dim: int

    def draw(self) -> list[np.ndarray]:
        """Arguments of `evaluate_features`."""
        queries, images, people = SIZES[self.size]
        random = np.random.default_rng(0)
        points = random.standard_normal((people, self.dim), dtype=np.float32)
        query_ids, gallery_ids = random.integers(1, people + 1, queries), random.integers(1, people + 1, images)
        gallery_ids[random.random(images) < DISTRACTORS] = 0
        strangers = random.standard_normal((images, self.dim), dtype=np.float32)
        centres = np.where(gallery_ids[:, None] > 0, points[gallery_ids - 1], strangers)
        noise = NOISE[self.level]
        return [
            points[query_ids - 1] + np.float32(noise) * random.standard_normal((queries, self.dim), dtype=np.float32),
            centres + np.float32(noise) * random.standard_normal((images, self.dim), dtype=np.float32),
            query_ids,
            gallery_ids,
            random.integers(0, CAMERAS, queries),
            random.integers(0, CAMERAS, images),
        ]


def ours(*arguments: np.ndarray) -> float:
    from reidctl.retrieval import evaluate_features

    return evaluate_features(*arguments).mAP


def reranked(*arguments: np.ndarray) -> float:
    from reidctl.config import Rerank
    from reidctl.retrieval import evaluate_features

    return evaluate_features(*arguments, rerank=Rerank()).mAP


def plain(
    query: np.ndarray,
    gallery: np.ndarray,
    query_ids: np.ndarray,
    gallery_ids: np.ndarray,
    query_cams: np.ndarray,
    gallery_cams: np.ndarray,
) -> float:
    """Normalise, multiply, sort every row, walk through it."""
    query /= np.linalg.norm(query, axis=1, keepdims=True)
    gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    order = np.argsort(1 - query @ gallery.T, axis=1)
    precisions = []
    for i, row in enumerate(order):
        same = gallery_ids[row] == query_ids[i]
        match = same[~(same & (gallery_cams[row] == query_cams[i]))]
        if match.any():
            places = np.flatnonzero(match) + 1
            precisions.append(np.mean(np.arange(1, len(places) + 1) / places))
    return float(np.mean(precisions))


WAYS: dict[str, Callable[..., float]] = {"ours": ours, "plain": plain, "reranked": reranked}


def measure(task: Task, repeat: int) -> dict[str, Any]:
    """Best time of some runs in a fresh process, and its peak memory."""
    command = [sys.executable, __file__, "--child", task.way, "--size", task.size, "--level", task.level]
    command += ["--dim", str(task.dim), "--repeat", str(repeat)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {"way": task.way, "size": task.size, "level": task.level, "dim": task.dim, **found}


def run(task: Task, repeat: int) -> dict[str, float]:
    arguments = task.draw()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(repeat):
        started = time.perf_counter()
        mean = WAYS[task.way](*arguments)
        seconds.append(time.perf_counter() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": min(seconds), "peak_mib": peak / 1024, "before_mib": before / 1024, "mAP": mean}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="market1501")
    parser.add_argument("--level", choices=[*NOISE, "both"], default="both", help="how hard the features are")
    parser.add_argument("--dim", type=int, default=256, help="numbers in an embedding")
    parser.add_argument("--repeat", type=int, default=3, help="runs, of which the fastest counts")
    parser.add_argument("--rerank", action="store_true", help="measure re-ranking too")
    parser.add_argument("--only-ours", action="store_true", help="leave the plain way out")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--child", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(run(Task(options.child, options.size, options.level, options.dim), options.repeat)))
        return
    ways = ["ours", *([] if options.only_ours else ["plain"]), *(["reranked"] if options.rerank else [])]
    levels = list(NOISE) if options.level == "both" else [options.level]
    rows = [measure(Task(way, options.size, level, options.dim), options.repeat) for level in levels for way in ways]
    if options.json:
        print(json.dumps({"schema": "reidctl.evaluation_speed/1", "rows": rows}, indent=2))
        return
    queries, images, _ = SIZES[options.size]
    print(f"{queries:,} queries, {images:,} gallery images, {options.dim} numbers each; best of {options.repeat}\n")
    print(f"{'features':<10}{'way':<10}{'time':>10}{'peak memory':>15}{'before it':>14}{'mAP':>9}")
    for row in rows:
        print(
            f"{row['level']:<10}{row['way']:<10}{row['seconds']:>8.2f} s{row['peak_mib']:>11,.0f} MiB"
            f"{row['before_mib']:>10,.0f} MiB{row['mAP']:>9.4f}"
        )


if __name__ == "__main__":
    main()
