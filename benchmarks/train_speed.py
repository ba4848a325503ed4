"""Images a second of whole training loops, from JPEG file to optimizer step, ours against a plain one in turns.

    python benchmarks/train_speed.py                                retail-0248 and retail-0267 on drawn people
    python benchmarks/train_speed.py --root data                    on the files of data/market1501
    python benchmarks/train_speed.py --ways bf16 "bf16 compiled"    only these
    python benchmarks/train_speed.py --batch 64 512 --workers 16    on a machine with a GPU, which is then used
    python benchmarks/train_speed.py --batch 64 512 --alone         without the plain loop, sooner

Ours is what `reidctl train` runs between two tests. The plain loop is what one writes in an afternoon: a DataLoader
over Pillow and torchvision with the same augmentations, float32, images channel by channel (NCHW), the same loss,
Adam. Each runs in a process with as many workers; a way and the plain loop take turns, and the ratio is the median
over the turns. Of each turn the first steps do not count, for their images were read while the other one ran.
--alone: all ways and batches of a preset start, and compile, at once, and then take turns.

`waiting` is the share of time in which a loop had to wait for images. `per CPU second` is what other work on the
machine disturbs least. `first` is the seconds to the end of the first step, compiling included. Memory is the most that
the training process ever had, and what its workers have beside it; of a GPU the most that torch ever held.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from side_by_side.family import children, cpu_seconds, memory_mib
from side_by_side.plain import plain_batches, plain_step
from side_by_side.results import Column, Report, add_json, native, run
from side_by_side.turns import Ended, Measured, add_ways, tell

if TYPE_CHECKING:
    from reidctl.config import RunConfig

PRESETS = ("retail-0248", "retail-0267", "retail-0270", "retail-0265")
WAYS = {
    "f32": ["train.precision=f32", "train.compile=false"],
    "f32 compiled": ["train.precision=f32", "train.compile=true"],
    "bf16": ["train.precision=bf16", "train.compile=false"],
    "bf16 compiled": ["train.precision=bf16", "train.compile=true"],
    "bf16 graphs": ["train.precision=bf16", "train.compile=false", "train.cuda_graphs=true"],
    "bf16 compiled graphs": ["train.precision=bf16", "train.compile=true", "train.cuda_graphs=true"],
}
PLAIN = "plain"
COLUMNS = (
    Column("preset", "preset", width=13),
    Column("batch", "batch", "d"),
    Column("way", "way"),
    Column("images_per_second", "images/s", ",.1f"),
    Column("ratio", "ratio", ".2f"),
    Column("images_per_cpu_second", "per CPU second", ",.1f"),
    Column("cpu_ratio", "ratio", ".2f"),
    Column("waiting", "waiting", ".1%"),
    Column("first_s", "first s", ".1f"),
    Column("memory_mib", "memory MiB", ",.0f"),
    Column("memory_ratio", "ratio", ".2f"),
    Column("gpu_mib", "GPU MiB", ",.0f"),
)
FIGURES = ("images_per_second", "images_per_cpu_second", "waiting", "memory_mib", "gpu_mib")


def drawn(root: Path, identities: int) -> None:
    """Drawn people as JPEG files in the layout of Market-1501."""
    from reidctl.data.write import export_layout
    from reidctl.registry import datasets
    from reidctl.types import Spec

    spec = Spec(name="synthetic", train_identities=identities, test_identities=1)
    export_layout(datasets.build(spec, root=root), root, "market1501", quality=90)


def configuration(options: argparse.Namespace, preset: str, batch: int, sets: list[str]) -> RunConfig:
    """The preset, but for its sources, which MSMT17 is, and its first stage, which learns less than all layers."""
    from reidctl.config import load_config

    data = {"sources": ["market1501"], "targets": [], "root": str(options.root), "workers": options.workers}
    data |= {"combineall": False, "min_images_per_identity": 1}
    files = [f"data.{key}={json.dumps(value, ensure_ascii=False)}" for key, value in data.items()]
    train = [f"train.batch_size={batch}", "train.fixbase_epochs=0", "train.save_minutes=0", f"device={options.device}"]
    return load_config(preset, sets=[*files, *train, *sets]).config


class Watch:
    """Told of every step, it measures a turn whenever a line comes in on stdin, and ends the process after the last."""

    def __init__(self, seconds: float, batch: int, workers: int) -> None:
        self._seconds, self._batch = seconds, batch
        # As many batches as the workers have read ahead while others ran, and one that is under way.
        self._skipped = 2 * workers + 1
        self._started, self._steps, self._count = time.perf_counter(), -1, 0
        self._waited, self._cpu = 0.0, 0.0

    def step(self, waited: float) -> None:
        """A step was taken; waited: seconds spent waiting for images since the start."""
        self._steps += 1
        if self._steps == 0:
            self._settle()
            tell(seconds=time.perf_counter() - self._started)
            self._pause()
        elif self._steps == self._skipped:
            self._settle()
            self._started, self._waited, self._cpu = time.perf_counter(), waited, cpu_seconds()
        elif self._steps > self._skipped and time.perf_counter() - self._started >= self._seconds:
            self._settle()
            self._tell(self._steps - self._skipped, time.perf_counter() - self._started, waited - self._waited)
            self._pause()

    def _tell(self, steps: int, elapsed: float, waited: float) -> None:
        import torch

        from reidctl.benchmarking.worker import peak_memory_mib

        images = steps * self._batch
        tell(
            images_per_second=images / elapsed,
            images_per_cpu_second=images / (cpu_seconds() - self._cpu),
            waiting=waited / elapsed,
            memory_mib=(peak_memory_mib() or 0) + memory_mib(children()),
            gpu_mib=torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else 0.0,
        )

    def _pause(self) -> None:
        import torch

        # What it keeps of a GPU's memory is for the next one.
        torch.cuda.empty_cache()
        if not sys.stdin.readline():
            # At once: it has told all, and would take long to put away what was read ahead.
            os._exit(0)
        self._steps = 0

    @staticmethod
    def _settle() -> None:
        """Wait until an accelerator has done what it was given."""
        import torch

        if torch.cuda.is_available():
            torch.cuda.synchronize()


def train_plainly(config: RunConfig, seconds: float) -> None:
    import torch

    from reidctl.data.sources import load_sources
    from reidctl.devices import resolve_device
    from reidctl.training.steps import timed

    torch.manual_seed(0)
    watch, waited = Watch(seconds, config.train.batch_size, config.data.workers), 0.0
    data, device = load_sources(config.data), resolve_device(config.device)
    step = plain_step(config, len({sample.identity for sample in data.train}), str(device))
    for (images, labels), wait in timed(plain_batches(config, data, pin_memory=device.type == "cuda")):
        step(images, labels)
        waited += wait
        watch.step(waited)


def train_our_way(config: RunConfig, seconds: float) -> None:
    """As `reidctl train` does, but that nothing is tested or saved."""
    from reidctl.training.progress import StepInfo, Unobserved
    from reidctl.training.run import Run, computing
    from reidctl.training.state import Progress
    from reidctl.training.steps import take_steps

    watch, progress, before = Watch(seconds, config.train.batch_size, config.data.workers), Progress(), 0.0

    class Observer(Unobserved):
        def on_step(self, step: StepInfo) -> None:
            watch.step(before + progress.waited)

    with computing(config) as processes:
        run = Run(config, processes=processes)
        with closing(run.batches):
            while True:
                take_steps(run, progress, Observer(), lambda: None)
                progress, before = progress.next_epoch(), before + progress.waited


def child(options: argparse.Namespace) -> None:
    preset, way, batch = options.child
    config = configuration(options, preset, int(batch), WAYS.get(way, []))
    (train_plainly if way == PLAIN else train_our_way)(config, options.seconds)


def loop(options: argparse.Namespace, preset: str, batch: int, way: str, cache: str) -> Measured:
    """A process that trains that way, once it has taken its first step."""
    shared = ["--root", str(options.root), "--workers", str(options.workers), "--seconds", str(options.seconds)]
    return Measured([__file__, *shared, "--device", options.device, "--child", preset, way, str(batch)], cache)


def compare(options: argparse.Namespace, preset: str, batch: int, way: str) -> list[dict[str, Any]]:
    """The plain loop and the way in turns: one row each."""
    both = (PLAIN, way)
    with tempfile.TemporaryDirectory() as cache:
        loops = [loop(options, preset, batch, each, cache) for each in both]
        turns = [[each.turn() for each in loops] for _ in range(options.turns)]
        for each in loops:
            each.close()
    rows: list[dict[str, Any]] = []
    for place, name in enumerate(both):
        row: dict[str, Any] = {"preset": preset, "batch": batch, "way": name, "first_s": loops[place].first}
        row |= figures([turn[place] for turn in turns])
        for ratio, figure in (("ratio", "images_per_second"), ("cpu_ratio", "images_per_cpu_second")):
            row[ratio] = median(turn[place][figure] / turn[0][figure] for turn in turns)
        row["memory_ratio"] = row["memory_mib"] / max(turn[0]["memory_mib"] for turn in turns)
        rows.append(row)
    return rows


def figures(turns: list[dict[str, Any]]) -> dict[str, Any]:
    """Of the turns of one loop: medians, and the most memory."""
    found = {figure: median(turn[figure] for turn in turns) for figure in FIGURES}
    return found | {"memory_mib": max(turn["memory_mib"] for turn in turns), "gpu_mib": found["gpu_mib"] or None}


def alone(options: argparse.Namespace, preset: str, report: Report) -> Iterator[dict[str, Any]]:
    """A row for every batch and way; what ends before it has measured becomes a note."""
    every = list(product(options.batch, options.ways))
    with tempfile.TemporaryDirectory() as cache, ThreadPoolExecutor(len(every)) as pool:
        started = [pool.submit(loop, options, preset, batch, way, cache) for batch, way in every]
        loops = {}
        for each, coming in zip(every, started, strict=True):
            try:
                loops[each] = coming.result()
            except Ended:
                report.note(f"{preset}, {each[0]}, {each[1]}: cannot be had on this machine.")
        turns = [{each: one.turn() for each, one in loops.items()} for _ in range(options.turns)]
        for (batch, way), one in loops.items():
            row = {"preset": preset, "batch": batch, "way": way, "first_s": one.first}
            yield row | figures([turn[batch, way] for turn in turns])
            one.close()


def on_gpu(options: argparse.Namespace) -> bool:
    from reidctl.devices import resolve_device

    return resolve_device(options.device).type == "cuda"


def measure(options: argparse.Namespace, report: Report) -> None:
    table = report.table("", *COLUMNS)
    if options.alone:
        for row in (row for preset in options.presets for row in alone(options, preset, report)):
            table.add(row)
        return
    for preset, batch in product(options.presets, options.batch):
        add_ways(table, report, f"{preset}, {batch}", options.ways, partial(compare, options, preset, batch))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="folder that holds market1501; else people are drawn")
    parser.add_argument("--presets", nargs="+", choices=PRESETS, default=PRESETS[:2])
    parser.add_argument("--ways", nargs="+", choices=WAYS, help="only these")
    parser.add_argument("--batch", nargs="+", type=int, default=[64], help="images a step")
    parser.add_argument("--workers", type=int, default=2, help="processes that read images, of either loop")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--alone", action="store_true", help="without the plain loop, all of a preset started at once")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6, help="least time of a turn")
    parser.add_argument("--identities", type=int, default=100, help="people to draw, 24 images of each")
    add_json(parser)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options)
        return
    report = Report(options.json)
    options.ways = options.ways or [way for way in native(WAYS, report) if "graphs" not in way or on_gpu(options)]
    with tempfile.TemporaryDirectory() as folder:
        images = "files that were named"
        if options.root is None:
            options.root, images = Path(folder), "drawn people"
            drawn(options.root, options.identities)
        report.note(f"{images}; {options.workers} workers; medians of {options.turns} turns of {options.seconds:g} s")
        measure(options, report)
    report.finish()


if __name__ == "__main__":
    run(main)
