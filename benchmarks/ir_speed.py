"""How fast our IR of a published architecture is beside the published one, in f32, bf16, f16 and INT8.

    python benchmarks/ir_speed.py                     files and images below REIDCTL_TEST_DATA
    python benchmarks/ir_speed.py --turns 3 --no-accuracy --json

The published person-reidentification-retail-0287 and our export of the same architecture with the weights of the
published 0267 ONNX file, fp32 weights and INT8 of each, in every arithmetic; what this CPU has no instructions for is
a row that says so. All are measured as `reidctl bench` does under its throughput hint, each in a process of its own,
in turns; ratios are medians over the turns of ratios within a turn. All take one image at a time, as the published
files do, and ours 8 in further rows; INT8 is held to its bars in the arithmetic that it is fastest in. Where others use
the processor, too, its time says more than images a second do. Published weights have channels that died: what is
computed from them is subnormal, which processors of Intel take long for, and ours leaves it out. Cosines are to the
same file's f32 embeddings of the queries, INT8 to its architecture's fp32 file; the relative error, too, which `verify`
has a tolerance for. mAP and rank-1 are of market1501-dev, whose training images calibrate our INT8.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from side_by_side.results import Column, NotHere, Report, add_json, run

from reidctl.benchmarking.rows import summary
from reidctl.benchmarking.worker import Job, Round, measure, vectors
from reidctl.config import load_config
from reidctl.data.sources import open_dataset
from reidctl.errors import MissingExtra, ReidError
from reidctl.export import export_ir, export_onnx
from reidctl.export.compare import difference
from reidctl.retrieval import evaluate
from reidctl.runtimes.child import embedding_limit_s, run_in_child
from reidctl.training.checkpoint import build_model, describe, save_checkpoint
from reidctl.types import Embeddings, Spec
from reidctl.weights import load_weights

if TYPE_CHECKING:
    from reidctl.types import ReidData

PRESET, WEIGHTS = "retail-0267", "models/omz/person-reidentification-retail-0267.onnx"
PUBLISHED = {"fp32": "models/omz/0287-FP32", "int8": "models/omz/0287-INT8"}
PRECISIONS = {"fp32": ("f32", "bf16", "f16"), "int8": ("f32", "bf16")}
"""Arithmetic of files by their weights; that of INT8 is of what is left in floating point."""
COLUMNS = (
    Column("file", "file"),
    Column("arithmetic", "arithmetic", width=10),
    Column("batch", "batch", "d"),
    Column("fps", "images/s", ".1f"),
    Column("spread", "±", ".0%"),
    Column("ratio", "ratio", ".2f"),
    Column("cpu_ms", "CPU ms", ".2f"),
    Column("cpu_ratio", "ratio", ".2f"),
    Column("memory_mib", "memory MiB", ".0f"),
    Column("memory_ratio", "ratio", ".2f"),
    Column("cosine_min", "least cosine", ".5f"),
    Column("cosine_mean", "mean", ".5f"),
    Column("relative_error", "relative error", ".3f"),
    Column("mAP", "mAP", ".4f"),
    Column("rank1", "rank-1", ".4f"),
)
BARS = (
    Column("what", "what", width=48),
    Column("found", "found", ".4g"),
    Column("cpu", "by CPU time", ".3g"),
    Column("bar", "wanted"),
)


@dataclass
class Row:
    """A file in an arithmetic, and what was found of it."""

    name: str
    path: Path
    precision: str
    batch: int = 1
    rounds: list[Round] = field(default_factory=list)
    error: str | None = None
    cosine_min: float | None = None
    cosine_mean: float | None = None
    relative_error: float | None = None
    mAP: float | None = None
    rank1: float | None = None

    def job(self, seconds: float) -> Job:
        return Job(self.path, "openvino", "CPU", self.precision, self.batch, "throughput", seconds)

    def turn(self, seconds: float) -> None:
        if self.error is None:
            try:
                self.rounds.append(run_in_child(measure, self.job(seconds), timeout_s=300))
            except ReidError as error:
                self.error = str(error)


def our_checkpoint(data: Path, folder: Path) -> Path:
    """The preset's network with the published weights."""
    config = load_config(preset=PRESET).config
    network = build_model(config)
    load_weights(network, data / WEIGHTS)
    path = folder / "ours.safetensors"
    save_checkpoint(path, network, config, describe(network, config))
    return path


def rows_of(data: Path, images: ReidData, folder: Path, batches: Sequence[int]) -> list[Row]:
    """Every file in every arithmetic."""
    found = []
    for weights, place in PUBLISHED.items():
        path = next((data / place).glob("*.xml"))
        found += [Row(f"published {weights}", path, precision) for precision in PRECISIONS[weights]]
    onnx = folder / "ours.onnx"
    if not onnx.exists():
        export_onnx(our_checkpoint(data, folder), onnx)
    for batch in dict.fromkeys((1, *batches)):
        path = our_ir(onnx, f"fp32-{batch}", batch=batch)
        found += [Row("ours fp32", path, precision, batch) for precision in PRECISIONS["fp32"]]
        missing = None
        try:
            path = our_ir(onnx, f"int8-{batch}", batch=batch, weights="int8", calibration=images.train)
        except MissingExtra as error:
            missing = str(error)
        found += [Row("ours int8", path, precision, batch, error=missing) for precision in PRECISIONS["int8"]]
    return found


def our_ir(onnx: Path, name: str, **how: Any) -> Path:
    """The ONNX file as an IR in the folder of that name beside it, made unless it is there."""
    path = onnx.parent / name / f"{onnx.stem}.xml"
    return path if path.exists() else export_ir(onnx, path.parent, **how)


def score(rows: list[Row], images: ReidData) -> None:
    """Cosines and accuracy; of batches of 8 nothing, for they are the same networks."""
    samples, queries = (*images.query, *images.gallery), len(images.query)
    exact: dict[str, Any] = {}
    for row in rows:
        if row.error is not None or row.batch > 1:
            continue
        try:
            found = run_in_child(vectors, row.job(1), samples, timeout_s=embedding_limit_s(len(samples)))
        except ReidError as error:
            row.error = str(error)
            continue
        query, gallery = Embeddings(found[:queries], images.query), Embeddings(found[queries:], images.gallery)
        metrics = evaluate(query, gallery)
        row.mAP, row.rank1 = metrics.mAP, metrics.cmc[1]
        apart = difference(exact.setdefault(row.name.split()[0], query.vectors), query.vectors)
        row.cosine_min, row.cosine_mean, row.relative_error = apart.cosine_min, apart.cosine_mean, apart.relative_error


def ratio(row: Row, other: Row) -> float | None:
    """How many times as fast as the other, by turns; None where one of them could not be measured."""
    pairs = zip(row.rounds, other.rounds, strict=False)
    return median(mine.rate / theirs.rate for mine, theirs in pairs) if row.rounds and other.rounds else None


def cpu_ratio(row: Row, other: Row) -> float | None:
    """How many times the images for the same processor time, which a busy machine hardly changes."""
    if not (row.rounds and other.rounds):
        return None
    return summary(other.rounds).cpu_ms / summary(row.rounds).cpu_ms


def fastest(rows: list[Row], name: str, batch: int = 1) -> Row:
    """That file in the arithmetic that it is fastest in."""
    return max(
        (row for row in rows if row.name == name and row.batch == batch),
        key=lambda row: summary(row.rounds).fps if row.rounds else 0,
    )


def bars(rows: list[Row]) -> list[dict[str, Any]]:
    """What our files are held to, and what came of it."""
    by = {(row.name, row.precision, row.batch): row for row in rows}
    plain, published = by["ours fp32", "f32", 1], by["published fp32", "f32", 1]
    bf16, int8 = by["ours fp32", "bf16", 1], fastest(rows, "ours int8")
    published_int8 = fastest(rows, "published int8")
    speeds = [
        ("our bf16 to the published fp32 file in bf16", bf16, by["published fp32", "bf16", 1], 4.0),
        ("our bf16 to the published INT8", bf16, published_int8, 1.1),
        *(
            (f"our INT8 to our f32, batches of {batch}", fastest(rows, "ours int8", batch), other, 1.8)
            for (name, precision, batch), other in by.items()
            if (name, precision) == ("ours fp32", "f32")
        ),
        ("our f32 to the published fp32 file in f32", plain, published, None),
        ("our INT8 to the published INT8", int8, published_int8, None),
        ("the published INT8 to its fp32 file", published_int8, published, None),
    ]
    drop = None if plain.mAP is None or int8.mAP is None else plain.mAP - int8.mAP
    return [
        *(
            {"what": what, "found": ratio(row, other), "cpu": cpu_ratio(row, other), "bar": bar and f"at least {bar:g}"}
            for what, row, other, bar in speeds
        ),
        {"what": "least cosine of our bf16 to our f32", "found": bf16.cosine_min, "cpu": None, "bar": "at least 0.999"},
        {"what": "mAP that our INT8 loses", "found": drop, "cpu": None, "bar": "at most 0.005"},
    ]


def as_dict(row: Row, base: Row) -> dict[str, Any]:
    measured = summary(row.rounds) if row.rounds and row.error is None else None
    beside = summary(base.rounds).memory_mib if base.rounds else None
    return {
        "file": row.name,
        "arithmetic": row.precision,
        "batch": row.batch,
        "fps": measured and measured.fps,
        "spread": measured and measured.spread,
        "cpu_ms": measured and measured.cpu_ms,
        "ratio": ratio(row, base),
        "cpu_ratio": cpu_ratio(row, base),
        "memory_mib": measured and measured.memory_mib,
        "memory_ratio": measured.memory_mib / beside if measured and measured.memory_mib and beside else None,
        "cosine_min": row.cosine_min,
        "cosine_mean": row.cosine_mean,
        "relative_error": row.relative_error,
        "mAP": row.mAP,
        "rank1": row.rank1,
        "error": row.error,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5, help="0 for accuracy alone")
    parser.add_argument("--seconds", type=float, default=2, help="time of each row in a turn")
    parser.add_argument("--batch", type=int, nargs="*", default=[8], help="of further rows of ours, beside 1")
    parser.add_argument("--no-accuracy", action="store_true", help="speed and memory alone")
    parser.add_argument("--keep", type=Path, help="a folder that our files are made in and stay in, for the next time")
    add_json(parser)
    options = parser.parse_args()
    data = os.environ.get("REIDCTL_TEST_DATA")
    if not data:
        raise NotHere("no published files", "set REIDCTL_TEST_DATA to a folder with models/omz and data/market1501")
    report = Report(options.json)
    report.note(f"Throughput hint; {options.turns} turns of {options.seconds:g} s; ratios to the first row")
    images = open_dataset(Spec(name="market1501"), Path(data, "data"))
    with tempfile.TemporaryDirectory() as folder:
        if options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
        rows = rows_of(Path(data), images, options.keep or Path(folder), options.batch)
        for turn in range(options.turns):
            for row in rows if turn % 2 == 0 else reversed(rows):
                row.turn(options.seconds)
        if not options.no_accuracy:
            score(rows, images)
    table = report.table("", *COLUMNS)
    for row in rows:
        if row.error is None:
            table.add(as_dict(row, rows[0]))
    for error in dict.fromkeys(row.error for row in rows if row.error is not None):
        missing = [f"{row.name}, {row.precision}, batch {row.batch}" for row in rows if row.error == error]
        report.note(f"{error}. So without {'; '.join(missing)}.")
    held = report.table("What our files are held to", *BARS)
    for bar in bars(rows):
        held.add(bar)
    report.finish()


if __name__ == "__main__":
    run(main)
