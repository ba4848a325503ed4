"""Our throughput and latency beside those of OpenVINO's own benchmark_app, on the same IR, in turns.

    python benchmarks/against_benchmark_app.py                     the published 0287 below REIDCTL_TEST_DATA, ours
    python benchmarks/against_benchmark_app.py model.xml --hint throughput --turns 9

Ours are figures of `reidctl bench`: a batch is handed over as uint8 pictures, and its embeddings are taken back.
benchmark_app fills its inputs once and only starts requests. So ours does a little more, and the ratio, ours through
theirs, tells what Python, the conversion of pictures and the callback cost. `ready` names the third way, which takes
turns with them: the file without our conversion, on inputs filled once, through the same queue of requests; what
it lacks to 1 is Python's, and what ours lacks to it the conversion's. Ratios are medians over the turns of ratios
within a turn, since a machine drifts. The ratio of processor time an image is the one to read where others use the
machine, too. Memory is the most that a process ever held; its ratio is ours through theirs. A file is measured at the
batch it was made for.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from side_by_side.filled import benchmark_app, filled_queue
from side_by_side.results import Column, Report, add_json, run

from reidctl.benchmarking.rows import summary
from reidctl.benchmarking.worker import Job, Round, measure
from reidctl.export import export_ir, export_onnx
from reidctl.runtimes.child import run_in_child

PUBLISHED = ("models/omz/0287-FP32", "models/omz/0287-INT8")
OURS = (("retail-0267", 1), ("retail-0267", 8))
PRECISION = "f32"
KEYS = ("fps", "p50_ms", "cpu_ms", "memory_mib")
COLUMNS = (
    Column("file", "file", width=28),
    Column("batch", "batch", "d"),
    Column("hint", "hint", width=12),
    Column("theirs_fps", "theirs", ".1f"),
    Column("ours_fps", "ours", ".1f"),
    Column("ready_fps", "ready", ".1f"),
    Column("fps_ratio", "ours/theirs", ".3f"),
    Column("fps_ratio_lowest", "lowest", ".2f"),
    Column("fps_ratio_highest", "highest", ".2f"),
    Column("ready_fps_ratio", "ready/theirs", ".3f"),
    Column("p50_ratio", "p50 ratio", ".3f"),
    Column("cpu_ratio", "CPU ratio", ".3f"),
    Column("ready_cpu_ratio", "ready CPU", ".3f"),
    Column("ours_memory_mib", "ours MiB", ".0f"),
    Column("memory_ratio", "memory ratio", ".2f"),
)


def batch_of(path: Path) -> int:
    from openvino import Core

    return int(Core().read_model(path).inputs[0].shape[0])


def ours(path: Path, hint: str, batch: int, seconds: float) -> dict[str, float]:
    """What `reidctl bench` tells of one round."""
    job = Job(path, "openvino", "CPU", PRECISION, batch, hint, seconds)
    return figures(run_in_child(measure, job, timeout_s=300))


def ready(path: Path, hint: str, batch: int, seconds: float) -> dict[str, float]:
    """The queue of requests on the graph as it is in the file."""
    return figures(run_in_child(filled_queue, path, hint, PRECISION, batch, seconds, timeout_s=300))


def figures(found: Round) -> dict[str, float]:
    one = summary([found])
    return {"fps": one.fps, "p50_ms": one.p50_ms, "cpu_ms": one.cpu_ms, "memory_mib": one.memory_mib or 0.0}


def compare(path: Path, name: str, hint: str, options: argparse.Namespace) -> dict[str, Any]:
    """The three in turns, each turn beginning with the next of them."""
    batch = batch_of(path)
    ways = {
        "theirs": lambda: run_in_child(benchmark_app, path, hint, PRECISION, batch, options.seconds, timeout_s=300),
        "ours": lambda: ours(path, hint, batch, options.seconds),
        "ready": lambda: ready(path, hint, batch, options.seconds),
    }
    turns = []
    for turn in range(options.turns):
        names = list(ways)
        order = names[turn % 3 :] + names[: turn % 3]
        turns.append({way: ways[way]() for way in order})

    def ratio(way: str, key: str) -> float:
        return median(turn[way][key] / turn["theirs"][key] for turn in turns)

    return {
        "file": name,
        "batch": batch,
        "hint": hint,
        **{f"{way}_{key}": median(turn[way][key] for turn in turns) for way in ways for key in KEYS},
        "fps_ratio": ratio("ours", "fps"),
        "fps_ratio_lowest": min(turn["ours"]["fps"] / turn["theirs"]["fps"] for turn in turns),
        "fps_ratio_highest": max(turn["ours"]["fps"] / turn["theirs"]["fps"] for turn in turns),
        "ready_fps_ratio": ratio("ready", "fps"),
        "p50_ratio": ratio("ours", "p50_ms"),
        "cpu_ratio": ratio("ours", "cpu_ms"),
        "ready_cpu_ratio": ratio("ready", "cpu_ms"),
        "memory_ratio": ratio("ours", "memory_mib"),
    }


def files(named: list[Path], folder: Path) -> list[tuple[str, Path]]:
    """Those named; else the published ones that are here, and our own export of the same architecture."""
    if named:
        return [(path.stem[-28:], path) for path in named]
    data = os.environ.get("REIDCTL_TEST_DATA")
    found = [(place.rpartition("/")[2], next(Path(data, place).glob("*.xml"))) for place in PUBLISHED] if data else []
    for preset, batch in OURS:
        onnx = export_onnx(preset, folder / f"{preset}.onnx")
        found.append((f"our {preset}, batch {batch}", export_ir(onnx, folder / str(batch), batch=batch)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="*", help="IR with a fixed batch")
    parser.add_argument("--hint", nargs="+", choices=["throughput", "latency"], default=["throughput", "latency"])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="time of each way in a turn")
    add_json(parser)
    options = parser.parse_args()
    report = Report(options.json)
    report.note(f"{PRECISION}; medians of {options.turns} turns of {options.seconds} s a way")
    table = report.table("", *COLUMNS)
    with tempfile.TemporaryDirectory() as folder:
        for name, path in files(options.files, Path(folder)):
            for hint in options.hint:
                table.add(compare(path, name, hint, options))
    report.finish()


if __name__ == "__main__":
    run(main)
