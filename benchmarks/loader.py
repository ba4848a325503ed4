"""Images a second from JPEG files to a normalised batch, ours against a plain DataLoader over Pillow.

    python benchmarks/loader.py                       files below REIDCTL_TEST_DATA, else JPEG files that are drawn
    python benchmarks/loader.py --workers 0           in one process; images per second of CPU time is what to look at
    python benchmarks/loader.py --cache none          ours without, or with one cache alone
    python benchmarks/loader.py --height 300 --width 120 --images 1000      drawn files of another size
    python benchmarks/loader.py --training only       how long a training of retail-0248 waits for its images

Both sides apply the augmentations of retail-0248 to the same images. The plain one is what one writes in an afternoon:
`Image.open(path).convert("RGB")`, torchvision's transforms where it has them (resize, flip, colour jitter, grey,
rotation, erasing) and ours for the rest, ToTensor and Normalize in the workers, the default collation. Each side runs
in a process of its own, in turns; the median of the runs counts. A cache is warm: it is filled before the clock starts.
Memory is the sum over the process and its workers of what each has for itself and its part of what they share, at the
end of the run that had most.

Then retail-0248 is trained with the preset's augmentations and without a cache, on whatever device there is, for two
epochs, of which the second counts: the share of its time in which no batch was ready, from its first step to its last,
what the workers take to begin an epoch included. Frozen are the preset's first epochs, in which the backbone does not
learn and steps are short; the network is not compiled unless --compile says so, which makes the others shorter.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from side_by_side.drawn import draw_noise
from side_by_side.family import children, cpu_seconds, memory_mib
from side_by_side.plain import plain_batches
from side_by_side.results import Column, Report, add_json, run

WAYS = ("plain", "none", "memory", "disk")
STAGES = {"frozen": 2, "whole": 0}
"""How many of the two epochs of a training leave the backbone as it is."""
READING = (
    Column("way", "cache", width=8),
    Column("images_per_second", "images/s", ",.0f"),
    Column("ratio", "ratio", ".2f"),
    Column("images_per_cpu_second", "images/CPU second", ",.0f"),
    Column("cpu_ratio", "ratio", ".2f"),
    Column("memory_mib", "memory MiB", ",.0f"),
    Column("memory_ratio", "ratio", ".2f"),
)
TRAINING = (
    Column("stage", "training", width=10),
    Column("images_per_second", "images/s", ",.0f"),
    Column("waiting", "waiting", ".1%"),
)


def drawn_files(root: Path, images: int, size: tuple[int, int]) -> None:
    """JPEG files of noise in the layout of Market-1501."""
    import numpy as np

    folder = root / "market1501/Market-1501-v15.09.15"
    random = np.random.default_rng(0)
    for part, count in (("query", 1), ("bounding_box_test", 1), ("bounding_box_train", images)):
        (folder / part).mkdir(parents=True)
        for number in range(count):
            name = f"{number // 8 + 1:04d}_c{number % 6 + 1}s1_{number:06d}_00.jpg"
            draw_noise(folder / part / name, random, size)


def settings(root: Path, workers: int, cache: str, folder: Path, *more: str) -> Any:
    """The data of retail-0248, but for its source, which MSMT17 is."""
    from reidctl.config import load_config

    stated = {"sources": ["market1501"], "root": str(root), "workers": workers, "combineall": False}
    stated |= {"cache": cache, "cache_dir": str(folder)}
    sets = [f"data.{key}={json.dumps(value, ensure_ascii=False)}" for key, value in stated.items()]
    return load_config("retail-0248", sets=[*sets, *more]).config


def ours(root: Path, options: argparse.Namespace) -> Iterator[Any]:
    """Normalised batches, epoch after epoch."""
    from reidctl.data.loader import normalize, train_batches
    from reidctl.data.sources import load_sources

    cache = options.child
    config = settings(root, options.workers, cache, Path(options.folder))
    batches = train_batches(load_sources(config.data), config.data, batch_size=config.train.batch_size, seed=0)
    for epoch in range(1000):
        for batch in batches.epoch(epoch):
            yield normalize(batch.images, config.data.image)


def plain(root: Path, options: argparse.Namespace) -> Iterator[Any]:
    """The same, as one writes it."""
    from reidctl.data.sources import load_sources

    config = settings(root, options.workers, "none", Path(options.folder))
    for images, _ in plain_batches(config, load_sources(config.data)):
        yield images


def read(root: Path, options: argparse.Namespace) -> dict[str, float]:
    """One side: some batches to start, then the clock."""
    import torch

    from reidctl.training.memory import kept_memory

    torch.set_num_threads(1)
    is_plain = options.child == "plain"
    # As in training.
    with nullcontext() if is_plain else kept_memory():
        batches = plain(root, options) if is_plain else ours(root, options)
        for _ in range(2 * options.workers + 2):
            images = next(batches)
        before, started, seen = cpu_seconds(), time.perf_counter(), 0
        while time.perf_counter() - started < options.seconds:
            images = next(batches)
            seen += len(images)
        wall, cpu = time.perf_counter() - started, cpu_seconds() - before
        memory = memory_mib([str(os.getpid()), *children()])
        return {"images_per_second": seen / wall, "images_per_cpu_second": seen / cpu, "memory_mib": memory}


def train(root: Path, options: argparse.Namespace) -> dict[str, float]:
    """The second of two epochs of a training: its speed, and the share of its time that it waited for images."""
    from reidctl import train as run_training
    from reidctl.training.progress import EpochInfo, Unobserved

    class Last(Unobserved):
        def on_epoch(self, epoch: EpochInfo) -> None:
            self.epoch = epoch

    folder, observer = Path(options.folder), Last()
    stated = {"epochs": 2, "fixbase_epochs": STAGES[options.child], "compile": str(options.compile).lower()}
    more = ["data.targets=[]", f"runs={json.dumps(str(folder))}", f"run={options.child}"]
    more += [f"train.{key}={value}" for key, value in stated.items()]
    run_training(settings(root, options.workers, "none", folder, *more), exist_ok=True, observer=observer)
    return {"waiting": observer.epoch.waiting, "images_per_second": observer.epoch.images_per_second}


def in_child(what: str, root: Path, options: argparse.Namespace, folder: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", what, "--root", str(root), "--folder", folder]
    command += ["--workers", str(options.workers), "--seconds", str(options.seconds)]
    command += ["--compile"] if options.compile else []
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def measure(root: Path, options: argparse.Namespace, folder: str) -> list[dict[str, Any]]:
    """A row for each way: medians over the runs, and the ratio to the plain one."""
    ways = WAYS if options.cache is None else ("plain", options.cache)
    found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for _ in range(options.repeat):
        for way in ways:
            found[way].append(in_child(way, root, options, folder))
    rows: list[dict[str, Any]] = []
    for way, runs in found.items():
        row: dict[str, Any] = {"way": way, **{key: statistics.median(one[key] for one in runs) for key in runs[0]}}
        rows.append({**row, "memory_mib": max(one["memory_mib"] for one in runs)})
    for row in rows:
        row["ratio"] = row["images_per_second"] / rows[0]["images_per_second"]
        row["cpu_ratio"] = row["images_per_cpu_second"] / rows[0]["images_per_cpu_second"]
        row["memory_ratio"] = row["memory_mib"] / rows[0]["memory_mib"]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="folder that holds market1501")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cache", choices=WAYS[1:], help="one cache alone; all of them otherwise")
    parser.add_argument("--seconds", type=float, default=6.0, help="time of one run")
    parser.add_argument("--repeat", type=int, default=3, help="runs, of which the median counts")
    parser.add_argument("--images", type=int, default=2048, help="files to draw")
    parser.add_argument("--height", type=int, help="of the files to draw, which are drawn then in any case")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--training", choices=("also", "only", "not"), default="also", help="measure a training")
    parser.add_argument("--compile", action="store_true", help="the network that is trained")
    add_json(parser)
    parser.add_argument("--child", choices=(*WAYS, *STAGES), help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps((train if options.child in STAGES else read)(options.root, options)))
        return
    report, stored = Report(options.json), os.environ.get("REIDCTL_TEST_DATA")
    with tempfile.TemporaryDirectory() as folder:
        root = options.root or (Path(stored, "data") if stored and not options.height else None)
        images = "market1501-dev" if root and not options.root else "files that were named"
        if root is None:
            root, images = Path(folder, "data"), f"drawn JPEG files of {options.height or 128} x {options.width}"
            drawn_files(root, options.images, (options.height or 128, options.width))
        report.note(f"{images}; {options.workers} workers; median of {options.repeat} runs of {options.seconds:g} s")
        reading = report.table("From JPEG files to normalised batches", *READING)
        for row in measure(root, options, folder) if options.training != "only" else []:
            reading.add(row)
        training = report.table("Training retail-0248", *TRAINING)
        for stage in STAGES if options.training != "not" else {}:
            training.add({"stage": stage, **in_child(stage, root, options, folder)})
    report.finish()


if __name__ == "__main__":
    run(main)
