"""Images a second of the retail networks, in training and in use, each way against plain PyTorch in turns.

    python benchmarks/model_speed.py                            two networks, the ways that are used
    python benchmarks/model_speed.py --all                      everything, which takes several times as long
    python benchmarks/model_speed.py --networks retail-0248 --what train --ways "f32 channels_last"

Plain is the network made of torch's own layers, float32, eager, images channel by channel (NCHW), torch's default
Adam and the C library's memory. A way and plain run in a process each, take turns, and the ratio is the median over
the turns, so that a machine whose speed drifts does not decide. Training is whole steps on one batch: network, loss,
gradient, update. `first` is the seconds of the first step or call, compiling included, by torch as by OpenVINO, whose
ONNX file was made before in another process. Memory is the most that a process held.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cache, partial
from itertools import product
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from side_by_side.results import Column, Report, add_json, native, run
from side_by_side.turns import Measured, add_ways, tell

if TYPE_CHECKING:
    from reidctl.config import RunConfig

NETWORKS = ("retail-0248", "retail-0267", "retail-0270", "retail-0265")
WAYS = [
    f"{precision} {layout}{compiled}"
    for compiled, precision, layout in product(("", " compiled"), ("f32", "bf16"), ("NCHW", "channels_last"))
]
TRAIN = {
    way: [
        f"train.precision={way.split()[0]}",
        f"train.channels_last={str('channels_last' in way).lower()}",
        f"train.compile={str(way.endswith('compiled')).lower()}",
    ]
    for way in WAYS
}
INFER = [f"{runtime} {way}" for runtime, ways in (("PyTorch", WAYS), ("OpenVINO", ("f32", "bf16"))) for way in ways]
PLAIN = "plain"
USED = ["f32 channels_last", "bf16 channels_last", "bf16 channels_last compiled"]
USED += ["PyTorch f32 channels_last", "PyTorch bf16 channels_last", "OpenVINO f32", "OpenVINO bf16"]
COLUMNS = (
    Column("network", "network", width=13),
    Column("what", "what", width=7),
    Column("way", "way", width=33),
    Column("fps", "images/s", ".1f"),
    Column("ratio", "ratio", ".2f"),
    Column("first_s", "first s", ".1f"),
    Column("peak_mib", "memory MiB", ",.0f"),
    Column("memory_ratio", "ratio", ".2f"),
)
Work = Callable[[], Any]


def configuration(network: str, batch: int, sets: list[str]) -> RunConfig:
    from reidctl.config import load_config

    few = f"data.sources=[{{name: synthetic, train_identities: {batch}}}]"
    always = [few, "data.targets=[]", "data.workers=0", f"train.batch_size={batch}", "train.fixbase_epochs=0"]
    return load_config(network, sets=[*always, *sets]).config


def plain_work(network: str, batch: int) -> Work:
    import torch
    from side_by_side.plain import plain_step

    config = configuration(network, batch, [])
    step = plain_step(config, batch)
    images, labels = torch.randn(batch, 3, *config.data.image.size), torch.arange(batch)
    return lambda: step(images, labels)


def our_step(network: str, batch: int, way: str) -> Work:
    from reidctl.training.run import Run

    run = Run(configuration(network, batch, TRAIN[way]))
    images = next(iter(run.batches.epoch(0)))
    return lambda: run.step([images], 0, 0, 1, run.config.train.lr)


def plain_call(network: str, batch: int) -> Work:
    import torch
    from side_by_side.plain import use_torchs_own_layers

    from reidctl.registry import models

    use_torchs_own_layers()
    config = configuration(network, batch, [])
    model = models.build(config.model, image_size=config.data.image.size).eval()
    images = torch.randn(batch, 3, *config.data.image.size)

    def call() -> None:
        with torch.no_grad():
            model(images)

    return call


def drawn_images(network: str, batch: int) -> Any:
    import numpy as np

    height, width = configuration(network, batch, []).data.image.size
    return np.random.default_rng(0).integers(0, 256, (batch, height, width, 3), dtype=np.uint8)


def openvino_call(network: str, batch: int, precision: str, onnx: Path) -> Work:
    import numpy as np

    from reidctl.registry import runtimes
    from reidctl.runtimes.engine import engine
    from reidctl.types import Spec

    engine()  # Its import is no more part of the first call than torch's is.
    spec, chunks = Spec(name="openvino", hint="throughput", chunk=8), np.split(drawn_images(network, batch), batch // 8)

    @cache
    def compiled() -> Any:
        return runtimes.build(spec, path=onnx, device="CPU", precision=precision)

    return lambda: compiled().embed_stream(iter(chunks), lambda index, embeddings: None)


def pytorch_call(network: str, batch: int, precision: str, how: Sequence[str]) -> Work:
    import torch

    from reidctl.runtimes.network import NetworkEmbedder, preset_checkpoint
    from reidctl.training.compiling import forward_of

    images = drawn_images(network, batch)
    embedder = NetworkEmbedder(preset_checkpoint(network), device="cpu", precision=precision)
    forward = embedder._model
    if "compiled" in how:
        forward = forward_of(forward, torch.device("cpu"), wanted=True, worth_it=True)
    layout = torch.channels_last
    if "NCHW" in how:
        layout = torch.contiguous_format
        embedder._network.to(memory_format=layout)
    embedder._model = lambda images: forward(images.contiguous(memory_format=layout))
    return lambda: embedder.embed_batch(images)


def work_of(network: str, what: str, way: str, batch: int, onnx: Path) -> Work:
    """What a process does, all prepared; onnx: the network's file. OpenVINO needs no torch, whose memory counts."""
    kind, *how = way.split()
    if kind == "OpenVINO":
        return openvino_call(network, batch, how[0], onnx)
    import torch

    torch.manual_seed(0)
    if way == PLAIN:
        return plain_work(network, batch) if what == "train" else plain_call(network, batch)
    return our_step(network, batch, way) if what == "train" else pytorch_call(network, batch, how[0], how[1:])


def child(network: str, what: str, way: str, onnx: str, batch: int, seconds: float) -> None:
    """Do the work once, then for some seconds at every line on stdin; tell each result on stdout."""
    from reidctl.benchmarking.worker import peak_memory_mib

    with ExitStack() as stack:
        if what == "train" and way != PLAIN:
            from reidctl.training.memory import kept_memory

            stack.enter_context(kept_memory())
        work = work_of(network, what, way, batch, Path(onnx))
        tell(seconds=timed(work, 0)[1])
        work()
        for _ in sys.stdin:
            count, elapsed = timed(work, seconds)
            tell(fps=count * batch / elapsed, peak_mib=peak_memory_mib())


def timed(work: Work, seconds: float) -> tuple[int, float]:
    """How often the work was done, at least once, and how long that took."""
    count, started = 0, time.perf_counter()
    while not count or time.perf_counter() - started < seconds:
        work()
        count += 1
    return count, time.perf_counter() - started


def compare(options: argparse.Namespace, network: str, what: str, onnx: Path, way: str) -> list[dict[str, Any]]:
    """Plain and the way in turns: one row each."""
    with tempfile.TemporaryDirectory() as cache:
        shared = [__file__, "--batch", str(options.batch), "--seconds", str(options.seconds)]
        both = [Measured([*shared, "--child", network, what, name, str(onnx)], cache) for name in (way, PLAIN)]
        turns = [[measured.turn() for measured in both] for _ in range(options.turns)]
        for measured in both:
            measured.close()
    ratio = median(ours["fps"] / plain["fps"] for ours, plain in turns)
    base = turns[-1][1]["peak_mib"]
    return [
        {
            "network": network,
            "what": what,
            "way": name,
            "fps": median(turn[place]["fps"] for turn in turns),
            "ratio": ratio if name == way else 1.0,
            "first_s": both[place].first,
            "peak_mib": turns[-1][place]["peak_mib"],
            "memory_ratio": turns[-1][place]["peak_mib"] / base,
        }
        for place, name in ((1, PLAIN), (0, way))
    ]


def measure(options: argparse.Namespace, report: Report) -> None:
    from reidctl.export import export_onnx

    table = report.table("", *COLUMNS)
    with tempfile.TemporaryDirectory() as folder:
        for network, what in product(options.networks, options.what):
            ways = [way for way in (TRAIN if what == "train" else INFER) if way in options.ways]
            onnx = Path(folder, f"{network}.onnx")
            if any(way.startswith("OpenVINO") for way in ways):
                export_onnx(network, onnx)
            add_ways(table, report, f"{network}, {what}", ways, partial(compare, options, network, what, onnx))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS[:2])
    parser.add_argument("--what", nargs="+", choices=["train", "infer"], default=["train", "infer"])
    parser.add_argument("--ways", nargs="+", choices=[*TRAIN, *INFER], help="only these")
    parser.add_argument("--all", action="store_true", help="all networks and all ways")
    parser.add_argument("--batch", type=int, default=64, help="images a step, a multiple of 8")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2, help="least time of a turn")
    add_json(parser)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(*options.child, options.batch, options.seconds)
        return
    report = Report(options.json)
    if options.all:
        options.networks = NETWORKS
    options.ways = options.ways or ([*TRAIN, *INFER] if options.all else native(USED, report))
    report.note(f"Batches of {options.batch}; medians of {options.turns} turns of at least {options.seconds:g} s")
    measure(options, report)
    report.finish()


if __name__ == "__main__":
    run(main)
