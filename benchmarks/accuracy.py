"""Rank-1 and mAP of models side by side, beside the published ones: plain, re-ranked, and what INT8 loses.

    python benchmarks/accuracy.py                                  the published files below REIDCTL_TEST_DATA
    python benchmarks/accuracy.py tuned=runs/tuned small=runs/small/weights/best.safetensors
    python benchmarks/accuracy.py tuned=runs/tuned --int8          with an INT8 file of each, made for it
    python benchmarks/accuracy.py --ablation runs/full runs/no-erase runs/plain-sgd

A model is NAME=PATH or PATH: whatever `reidctl eval` opens. All are tested on the same queries and gallery, by the
Market-1501 protocol, by cosine, in f32. `beside` is the mAP beyond the published 0287 IR, the first row, and `INT8
loses` what the row's mAP lacks to the model that it was made from. INT8 files are calibrated on training images of the
data set. --ablation reads what runs wrote of themselves: the best test of each, and the keys of their configurations
that are not those of the first.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from side_by_side.results import Column, NotHere, Report, add_json, run
from side_by_side.runs import add_runs

from reidctl import evaluate, export_ir, export_onnx, load_dataset, open_embedder
from reidctl.config import Rerank
from reidctl.retrieval import embed

if TYPE_CHECKING:
    from reidctl.types import ReidData

PUBLISHED = {
    "published 0287": "models/omz/0287-FP32/person-reidentification-retail-0287.xml",
    "published 0287, INT8": "models/omz/0287-INT8/person-reidentification-retail-0287.xml",
    "published 0286": "models/omz/0286-FP16/person-reidentification-retail-0286.xml",
    "published 0267, ONNX": "models/omz/person-reidentification-retail-0267.onnx",
}
COLUMNS = (
    Column("model", "model", width=32),
    Column("rank1", "rank-1", ".1%"),
    Column("mAP", "mAP", ".1%"),
    Column("beside", "beside", "+.1%"),
    Column("reranked_rank1", "re-ranked", ".1%"),
    Column("reranked_mAP", "re-ranked mAP", ".1%"),
    Column("int8_loses", "INT8 loses", "+.1%"),
    Column("seconds", "embedding s", ".0f"),
)


def score(model: Path, data: ReidData) -> dict[str, float]:
    """Figures of one model, and the seconds that its embeddings took."""
    embedder = open_embedder(str(model), precision="f32")
    started = time.perf_counter()
    query, gallery = (embed(embedder, samples) for samples in (data.query, data.gallery))
    seconds = time.perf_counter() - started
    plain, again = evaluate(query, gallery), evaluate(query, gallery, rerank=Rerank())
    found = {"rank1": plain.cmc[1], "mAP": plain.mAP, "seconds": seconds}
    return found | {"reranked_rank1": again.cmc[1], "reranked_mAP": again.mAP}


def as_int8(model: Path, data: ReidData, folder: Path) -> Path:
    """An INT8 file of it in `folder`, or where it is an ONNX file, of that."""
    onnx = model if model.suffix == ".onnx" else export_onnx(str(model), folder / "model.onnx")
    return export_ir(onnx, folder, weights="int8", calibration=data.train)


def rows(models: dict[str, Path], data: ReidData, *, int8: bool) -> Iterator[dict[str, Any]]:
    """Each model, and after it, where asked for, its INT8 file."""
    first: float | None = None
    for name, path in models.items():
        found = score(path, data)
        first = found["mAP"] if first is None else first
        yield {"model": name, **found, "beside": found["mAP"] - first}
        if int8 and path.suffix != ".xml":
            with tempfile.TemporaryDirectory() as folder:
                small = score(as_int8(path, data, Path(folder)), data)
            lost = {"beside": small["mAP"] - first, "int8_loses": found["mAP"] - small["mAP"]}
            yield {"model": f"{name}, INT8", **small, **lost}


def named(words: list[str], stored: str | None) -> dict[str, Path]:
    """The published models that are here, then those of the command line."""
    here = {name: Path(stored, place) for name, place in PUBLISHED.items()} if stored else {}
    found = {name: path for name, path in here.items() if path.exists()}
    for word in words:
        name, _, path = word.rpartition("=")
        found[name or Path(path).name] = Path(path)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help="NAME=PATH or PATH")
    parser.add_argument("--data", default="market1501", help="data set that they are tested on")
    parser.add_argument("--root", type=Path, help="folder that holds it; else that of REIDCTL_TEST_DATA")
    parser.add_argument("--title", help="how tables name the data set; else market1501-dev, or with --root its name")
    parser.add_argument("--int8", action="store_true", help="make and test an INT8 file of each model that is no IR")
    parser.add_argument("--ablation", nargs="+", type=Path, default=[], metavar="RUN", help="runs to set side by side")
    add_json(parser)
    options = parser.parse_args()
    stored = os.environ.get("REIDCTL_TEST_DATA")
    report, models = Report(options.json), named(options.models, stored)
    if options.int8 and not find_spec("nncf"):
        raise NotHere("INT8 needs NNCF, which is not installed", "pip install 'reidctl[int8]'")
    if not options.ablation and not (models and (options.root or stored)):
        raise NotHere("no models and no images", "name both (--root), or set REIDCTL_TEST_DATA")
    if options.models or not options.ablation:
        root = options.root or Path(stored or "", "data")
        title = options.title or (options.data if options.root else "market1501-dev")
        data = load_dataset(options.data, root)
        table = report.table(f"{title}: {len(data.query)} queries, {len(data.gallery)} images", *COLUMNS)
        for row in rows(models, data, int8=options.int8):
            table.add(row)
    if options.ablation:
        add_runs(report, "Runs that differ in a few keys", options.ablation)
    report.finish()


if __name__ == "__main__":
    run(main)
