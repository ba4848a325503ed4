"""Our throughput and latency beside those of OpenVINO's own benchmark_app, on the same IR, in turns.

    python benchmarks/against_benchmark_app.py                     the published 0287 below REIDCTL_TEST_DATA, ours
    python benchmarks/against_benchmark_app.py model.xml --hint throughput --turns 9

Ours are figures of `reidctl bench`: a batch is handed over as uint8 pictures, and its embeddings are taken back.
benchmark_app fills its inputs once and only starts requests. So ours does a little more, and the ratio, ours through
theirs, tells what Python, the conversion of pictures and the callback cost. `ready` names the third way, which takes
turns with them: the file without our conversion, on inputs filled once, through the same queue of requests; what
it lacks to 1 is Python's, and what ours lacks to it the conversion's. Ratios are medians over the turns of ratios
within a turn, since a machine drifts. The ratio of processor time an image is the one to read where others use the
machine, too. A file is measured at the batch it was made for.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from side_by_side.filled import benchmark_app, filled_queue

from reidctl.benchmarking.rows import summary
from reidctl.benchmarking.worker import Job, measure
from reidctl.export import export_ir, export_onnx
from reidctl.runtimes.child import run_in_child

PUBLISHED = ("models/omz/0287-FP32", "models/omz/0287-INT8")
OURS = (("retail-0267", 1), ("retail-0267", 8))
PRECISION = "f32"
KEYS = ("fps", "p50_ms", "cpu_ms")


def batch_of(path: Path) -> int:
    from openvino import Core

    return int(Core().read_model(path).inputs[0].shape[0])


def ours(path: Path, hint: str, batch: int, seconds: float) -> dict[str, float]:
    """What `reidctl bench` tells of one round."""
    job = Job(path, "openvino", "CPU", PRECISION, batch, hint, seconds)
    found = summary([run_in_child(measure, job, timeout_s=300)])
    return {"fps": found.fps, "p50_ms": found.p50_ms, "cpu_ms": found.cpu_ms}


def ready(path: Path, hint: str, batch: int, seconds: float) -> dict[str, float]:
    """The queue of requests on the graph as it is in the file."""
    found = summary([run_in_child(filled_queue, path, hint, PRECISION, batch, seconds, timeout_s=300)])
    return {"fps": found.fps, "p50_ms": found.p50_ms, "cpu_ms": found.cpu_ms}


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


def line(row: dict[str, Any]) -> str:
    figures = f"{row['theirs_fps']:>8.1f}{row['ours_fps']:>8.1f}{row['ready_fps']:>8.1f}"
    span = f"{row['fps_ratio']:.3f} ({row['fps_ratio_lowest']:.2f}-{row['fps_ratio_highest']:.2f})"
    ratios = f"{span:>20}{row['ready_fps_ratio']:>13.3f}{row['p50_ratio']:>10.3f}"
    ratios += f"{row['cpu_ratio']:>10.3f}{row['ready_cpu_ratio']:>10.3f}"
    return f"{row['file']:<28}{row['batch']:>6}  {row['hint']:<11}{figures}  {ratios}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="*", help="IR with a fixed batch")
    parser.add_argument("--hint", nargs="+", choices=["throughput", "latency"], default=["throughput", "latency"])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="time of each way in a turn")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    if not options.json:
        head = f"{'file':<28}{'batch':>6}  {'hint':<11}{'theirs':>8}{'ours':>8}{'ready':>8}"
        print(f"{head}  {'ours/theirs':>20}{'ready/theirs':>13}{'p50 ratio':>10}{'CPU ratio':>10}{'ready CPU':>10}")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, path in files(options.files, Path(folder)):
            for hint in options.hint:
                rows.append(compare(path, name, hint, options))
                if not options.json:
                    print(line(rows[-1]), flush=True)
    if options.json:
        print(json.dumps({"schema": "reidctl.against_benchmark_app/1", "rows": rows}, indent=2))


if __name__ == "__main__":
    main()
