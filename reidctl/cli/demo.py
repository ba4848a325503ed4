"""`reidctl demo`: the whole job on drawn pedestrians, nothing downloaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from reidctl.cli.options import Json
from reidctl.cli.output import output
from reidctl.errors import CheckFailed, ConfigError

if TYPE_CHECKING:
    from reidctl.benchmarking import BenchRow
    from reidctl.config import RunConfig
    from reidctl.export import Verification
    from reidctl.report import TargetReport
    from reidctl.types import Metrics, ReidData

PRESET = "demo"
GALLERIES = 20
"""Worst queries that are drawn."""
VERIFIED = 64
"""Images that the three artefacts are compared on."""


class Steps:
    """What was done, how long it took, what came of it, and where it lies."""

    def __init__(self) -> None:
        self.rows: list[dict[str, str | float]] = []

    @contextmanager
    def step(self, name: str) -> Iterator[dict[str, str]]:
        """Time a step; the block fills in `result` and `path`."""
        output.note(f"== {name}")
        told: dict[str, str] = {"result": "", "path": ""}
        started = perf_counter()
        yield told
        self.rows.append({"step": name, "seconds": round(perf_counter() - started, 1), **told})


def demo(
    folder: Annotated[Path, typer.Option("--output", "-o", help="Folder for everything that is made.")] = Path(
        "outputs", "demo"
    ),
    set_: Annotated[
        list[str],
        typer.Option("--set", "-s", metavar="KEY=VALUE", help="Change the preset `demo`, e.g. train.epochs=6."),
    ] = [],
    seconds: Annotated[float, typer.Option("--seconds", min=0.1, help="Time for each benchmark row.")] = 3.0,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace an earlier demo.")] = False,
    json: Json = False,
) -> None:
    """Train, test, draw, export, verify and benchmark a retail network, in a few minutes on a CPU."""
    from reidctl.benchmarking import Axes, bench
    from reidctl.cli.benched import show
    from reidctl.cli.train import configured
    from reidctl.export import verify
    from reidctl.files import refuse_existing
    from reidctl.runtimes import open_embedder

    refuse_existing(folder, force)
    config = configured(PRESET, [], set_).model_copy(update={"runs": folder, "run": "run"})
    if not config.data.targets:
        raise ConfigError(
            "data.targets: the demo has nothing to test on", "name a data set, or leave --set data.targets=[] out"
        )
    steps = Steps()
    run = _train(config, steps)
    found, target = _test(run, config, folder, steps)
    made = _export(run, folder, steps)
    with steps.step("verify") as told:
        # Here, since PyTorch is imported; what another engine crashes on ends in a process of its own.
        reference = open_embedder(run, device="cpu")
        compared = [verify(reference, other, target.query[:VERIFIED]) for other in made]
        told["result"] = "; ".join(_agreement(one) for one in compared)
    with steps.step("benchmark IR") as told:
        measured = bench([made[-1]], Axes(batches=(1,)), seconds=seconds)
        told["result"] = _fastest(measured)
    if json:
        rows = [row.as_dict() for row in measured]
        output.json("reidctl.demo/1", {"steps": steps.rows, "metrics": found.as_dict(), "bench": rows})
    else:
        show(measured)
        output.text("")
        columns = ["step", "seconds", "result", "path"]
        output.table(columns, [[row[column] for column in columns] for row in steps.rows])
    broken = [one for one in compared if not one.ok]
    if broken:
        reason = broken[0].error or str(broken[0].difference)
        raise CheckFailed(f"{broken[0].b} is not the same network as {broken[0].a}: {reason}")


def _train(config: RunConfig, steps: Steps) -> Path:
    from reidctl.cli.train import Watcher
    from reidctl.training import train

    with steps.step("train") as told, Watcher() as watcher:
        path = train(config, exist_ok=True, observer=watcher).path
        told.update(result=f"{config.train.epochs} epochs", path=str(path))
    return path


def _test(run: Path, config: RunConfig, folder: Path, steps: Steps) -> tuple[Metrics, ReidData]:
    from reidctl.cli.targets import embed_target, open_model
    from reidctl.config import Rerank
    from reidctl.data.sources import load_targets
    from reidctl.report import analyse_in_full, examine
    from reidctl.retrieval import evaluate

    target = load_targets(config.data)[0]
    with steps.step("evaluate") as told:
        query, gallery = embed_target(open_model(str(run)), target)
        found = evaluate(query, gallery)
        reranked = evaluate(query, gallery, rerank=Rerank())
        told["result"] = f"{_scores(found)}; re-ranked {_scores(reranked)}"
    with steps.step("rank galleries") as told:
        report = examine(target.name, query, gallery, analyse_in_full(query, gallery))
        told.update(_draw(report, folder / "visrank"))
    return found, target


def _export(run: Path, folder: Path, steps: Steps) -> tuple[Path, Path]:
    from reidctl.export import export_ir, export_onnx

    with steps.step("export ONNX") as told:
        onnx = export_onnx(run, folder / "model.onnx")
        told.update(result=f"{onnx.stat().st_size:,} bytes", path=str(onnx))
    with steps.step("export IR") as told:
        ir = export_ir(onnx, folder / "ir")
        told.update(result=f"{ir.with_suffix('.bin').stat().st_size:,} bytes", path=str(ir))
    return onnx, ir


def _draw(report: TargetReport, folder: Path) -> dict[str, str]:
    from reidctl.files import replacing
    from reidctl.report import write_page
    from reidctl.retrieval.gallery import draw_rank_galleries

    queries = report.query.samples
    worst = report.ranking.take(report.ranking.worst_rows(GALLERIES))
    with replacing(folder) as temporary:
        pictures = draw_rank_galleries(worst, queries, report.gallery.samples, temporary)
        write_page(temporary / "index.html", "reidctl demo", [report])
    return {"result": f"the {len(pictures)} worst of {len(queries)} queries", "path": str(folder / "index.html")}


def _scores(metrics: Metrics) -> str:
    return f"rank-1 {metrics.cmc[1]:.1%}, mAP {metrics.mAP:.1%}"


def _agreement(found: Verification) -> str:
    name = Path(found.b).suffix.removeprefix(".")
    if found.difference is None:
        return f"{name}: {found.error}"
    return f"{name} cosine ≥ {found.difference.cosine_min:.6f}"


def _fastest(rows: list[BenchRow]) -> str:
    measured = [(row.measured.fps, row) for row in rows if row.measured]
    if not measured:
        return f"nothing measured: {rows[0].error}"
    fps, row = max(measured, key=lambda pair: pair[0])
    return f"{fps:,.0f} images/s ({row.what.precision}, {row.what.hint})"
