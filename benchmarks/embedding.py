"""Images a second from JPEG files to a file of embeddings, and what each half of that could do alone.

    python benchmarks/embedding.py                          retail-0267; REIDCTL_TEST_DATA, else drawn files
    python benchmarks/embedding.py --preset retail-0248     a smaller network, for which decoding weighs more
    python benchmarks/embedding.py --precision bf16         another arithmetic of the engine

Each way is a process of its own that waits for its turn. The turns of the ways alternate; medians count.

    decode       the decoding threads of `reidctl embed`, their pictures thrown away
    inference    the engine on pictures that are in memory already, as many batches at once as it takes
    pipeline     what `reidctl embed` does: both together, the engine in a process of its own, into a Parquet file
    batches      one batch of 64 after the other through that process, decoded ahead: what `reidctl eval` does
    plain 32     the plain loop: Pillow opens and resizes, torch in float32 computes, eager, 32 images at a time
    plain 1      the same, one image at a time

The network has random weights, the same in all. The first ratio is that of the pipeline to the slower of decode and
inference; on a CPU, where both share the cores, 1 / (1/decode + 1/inference) is all that can be had, which the second
ratio is to. The others are to the plain loops. Where other programs run, images a second of CPU time are less disturbed
than those a second. Torch's threads, which wait by spinning, use more of it then, too, and the plain loops look worse
than they are: compare them by CPU time with OMP_NUM_THREADS=1. Memory is that of the process and its children, shared
parts divided, at the end of the turn that had most.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from side_by_side.drawn import draw_noise
from side_by_side.family import children, cpu_seconds, memory_mib
from side_by_side.results import Column, Report, add_json, run
from side_by_side.turns import Measured, tell

WAYS = ("decode", "inference", "pipeline", "batches", "plain 32", "plain 1")
REAL = "data/market1501/Market-1501-v15.09.15/bounding_box_train"
SPEEDS = (
    Column("way", "way", width=12),
    Column("images_per_second", "images/s", ",.1f"),
    Column("images_per_cpu_second", "images/CPU second", ",.1f"),
    Column("memory_mib", "memory MiB", ",.0f"),
)
RATIOS = (Column("to", "pipeline", width=44), Column("ratio", "images/s", ".2f"), Column("memory", "memory", ".2f"))


def drawn_files(folder: Path, images: int) -> None:
    """JPEG files of noise, as large as those of Market-1501."""
    import numpy as np

    random = np.random.default_rng(0)
    for number in range(images):
        draw_noise(folder / f"{number:06d}.jpg", random, (128, 64))


def work(way: str, options: argparse.Namespace) -> Callable[[], tuple[int, float]]:
    """What one turn does: (images, seconds)."""
    from reidctl.data.listing import listed_images

    samples = listed_images(options.folder)[: options.images]
    match way:
        case "decode":
            return lambda: decode(samples, options)
        case "inference":
            return inference(samples, options)
        case "pipeline":
            return pipeline(samples, options)
        case "batches":
            return batches(samples, options)
        case _:
            return plain(samples, options, int(way.removeprefix("plain ")))


def decode(samples: Any, options: argparse.Namespace) -> tuple[int, float]:
    from reidctl.retrieval.pipeline import decoded_ahead, decoding_threads
    from reidctl.types import ImageSpec

    chunks = [samples[start : start + 8] for start in range(0, len(samples), 8)]
    done, started = 0, time.perf_counter()
    with decoding_threads(options.workers) as pool:
        for decoded in decoded_ahead(chain.from_iterable(repeat(chunks)), ImageSpec(), 8, pool):
            done += len(decoded.images)
            if time.perf_counter() - started > options.seconds:
                return done, time.perf_counter() - started
    raise AssertionError


def inference(samples: Any, options: argparse.Namespace) -> Callable[[], tuple[int, float]]:
    import numpy as np

    from reidctl.data.images import load_array
    from reidctl.runtimes import open_embedder
    from reidctl.types import ImageSpec

    embedder = open_embedder(options.model, precision=options.precision)
    size = embedder.stream_batch()
    images = np.stack([load_array(sample, ImageSpec()) for sample in samples[: 8 * size]])

    def turn() -> tuple[int, float]:
        started, done = time.perf_counter(), []

        def until_late() -> Iterator[Any]:
            while time.perf_counter() - started < options.seconds:
                place = len(done) % 8 * size
                yield images[place : place + size]

        embedder.embed_stream(until_late(), lambda index, vectors: done.append(len(vectors)))
        return sum(done), time.perf_counter() - started

    return turn


def pipeline(samples: Any, options: argparse.Namespace) -> Callable[[], tuple[int, float]]:
    from reidctl.cli.targets import made_by, open_model
    from reidctl.retrieval.bulk import Plan, embed_to_file

    opened = open_model(str(options.model), precision=options.precision)
    made = made_by(opened, str(options.model), None, None)
    path = options.model.with_name("features.parquet")
    plan = Plan(path, made, opened.embedder.stream_batch(), workers=options.workers, force=True)

    def turn() -> tuple[int, float]:
        started = time.perf_counter()
        embed_to_file(opened.embedder, samples, plan)
        return len(samples), time.perf_counter() - started

    return turn


def batches(samples: Any, options: argparse.Namespace) -> Callable[[], tuple[int, float]]:
    from reidctl.cli.targets import open_model
    from reidctl.retrieval import embed

    embedder = open_model(str(options.model), precision=options.precision).embedder

    def turn() -> tuple[int, float]:
        started = time.perf_counter()
        embed(embedder, samples, batch_size=64)
        return len(samples), time.perf_counter() - started

    return turn


def plain(samples: Any, options: argparse.Namespace, size: int) -> Callable[[], tuple[int, float]]:
    """What one writes in an afternoon, without a DataLoader."""
    import torch
    from PIL import Image
    from side_by_side.plain import use_torchs_own_layers
    from torchvision import transforms

    from reidctl.config import load_config
    from reidctl.training.checkpoint import build_model

    use_torchs_own_layers()
    config = load_config(options.preset).config
    network, image = build_model(config).eval(), config.data.image
    steps = [transforms.Resize(image.size), transforms.ToTensor(), transforms.Normalize(image.mean, image.std)]
    prepare = transforms.Compose(steps)

    @torch.inference_mode()
    def turn() -> tuple[int, float]:
        started, done = time.perf_counter(), 0
        while True:
            chosen = [samples[(done + place) % len(samples)] for place in range(size)]
            pictures = [prepare(Image.open(sample.image).convert("RGB")) for sample in chosen]
            network(torch.stack(pictures)).numpy()
            done += size
            if time.perf_counter() - started > options.seconds:
                return done, time.perf_counter() - started

    return turn


def serve(way: str, options: argparse.Namespace) -> None:
    """One way as a process: the first piece of work, then a turn for every line."""
    started = time.perf_counter()
    turn = work(way, options)
    turn()
    tell(seconds=time.perf_counter() - started)
    for _ in sys.stdin:
        before = cpu_seconds()
        images, seconds = turn()
        used = cpu_seconds() - before
        memory = memory_mib([str(os.getpid()), *children()])
        tell(images_per_second=images / seconds, images_per_cpu_second=images / used, memory_mib=memory)


def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each way: medians of the turns."""
    with tempfile.TemporaryDirectory() as cache:
        own = ["--folder", options.folder, "--model", options.model]
        own += ["--preset", options.preset, "--precision", options.precision]
        own += ["--images", options.images, "--seconds", options.seconds, "--workers", options.workers]
        command = [__file__, *map(str, own)]
        running = {way: Measured([*command, "--child", way], cache) for way in options.ways}
        found: dict[str, list[dict[str, float]]] = {way: [] for way in running}
        for _ in range(options.repeat):
            for way, process in running.items():
                found[way].append(process.turn())
        for process in running.values():
            process.close()
    rows = []
    for way, turns in found.items():
        row: dict[str, Any] = {"way": way, **{key: statistics.median(turn[key] for turn in turns) for key in turns[0]}}
        rows.append({**row, "memory_mib": max(turn["memory_mib"] for turn in turns)})
    return rows


def ratios(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the bars are about, by the names of what was measured."""
    by = {row["way"]: row for row in rows}
    if not {"pipeline", "decode", "inference"} <= by.keys():
        return []
    speed = {way: row["images_per_second"] for way, row in by.items()}
    decode_only, engine_only, ours = speed["decode"], speed["inference"], speed["pipeline"]
    found: list[dict[str, Any]] = [
        {"to": "to the slower of decode and inference", "ratio": ours / min(decode_only, engine_only)},
        {"to": "to what both leave each other on one CPU", "ratio": ours * (1 / decode_only + 1 / engine_only)},
    ]
    memory = by["pipeline"]["memory_mib"]
    return found + [
        {"to": f"to {way}", "ratio": ours / speed[way], "memory": memory / by[way]["memory_mib"]}
        for way in WAYS[3:]
        if way in by
    ]


def prepare(preset: str, folder: Path) -> Path:
    """The network of the preset as an ONNX file."""
    from reidctl import export_onnx

    return export_onnx(preset, folder / "model.onnx")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="folder of images")
    parser.add_argument("--preset", default="retail-0267")
    parser.add_argument("--precision", default="f32", help="arithmetic of the engine; the plain loop's is f32")
    parser.add_argument("--images", type=int, default=512, help="that one turn of the pipeline embeds")
    parser.add_argument("--seconds", type=float, default=5.0, help="time of one turn of the others")
    parser.add_argument("--workers", type=int, default=0, help="decoding threads, 0 for one a core")
    parser.add_argument("--repeat", type=int, default=3, help="turns, of which the median counts")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    add_json(parser)
    parser.add_argument("--child", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--model", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        serve(options.child, options)
        return
    report, stored = Report(options.json), os.environ.get("REIDCTL_TEST_DATA")
    with tempfile.TemporaryDirectory() as folder:
        options.model = prepare(options.preset, Path(folder))
        images = "files that were named"
        if options.folder is None:
            options.folder = Path(stored, REAL) if stored else Path(folder, "images")
            images = "market1501-dev" if stored else "drawn JPEG files of 64 x 128"
            if not stored:
                options.folder.mkdir()
                drawn_files(options.folder, options.images)
        report.note(f"{options.preset}, {options.precision}, {images}; median of {options.repeat} turns")
        rows = measure(options)
    speeds, ways = report.table("", *SPEEDS), report.table("", *RATIOS)
    for row in rows:
        speeds.add(row)
    for row in ratios(rows):
        ways.add(row)
    report.finish()


if __name__ == "__main__":
    run(main)
