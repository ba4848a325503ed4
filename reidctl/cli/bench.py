"""`reidctl bench`: how fast artefacts are here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from reidctl.cli.options import Json, complete_model
from reidctl.cli.output import output
from reidctl.errors import CheckFailed, ConfigError

if TYPE_CHECKING:
    from reidctl.benchmarking import BenchRow

PRECISIONS = ("f32", "bf16", "f16")


def bench(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...",
            help="Checkpoints, .onnx, .xml, run folders or presets; the four retail presets where none is named.",
            autocompletion=complete_model,
            show_default=False,
        ),
    ] = None,
    device: Annotated[
        str, typer.Option("--device", help="CPU, GPU, … of OpenVINO; cpu or cuda for checkpoints.")
    ] = "CPU",
    precision: Annotated[
        str, typer.Option("--precision", help="Arithmetics, with commas: f32, bf16, f16.")
    ] = "f32,bf16",
    batch: Annotated[str, typer.Option("--batch", help="Images a batch, with commas.")] = "1,8",
    hint: Annotated[str, typer.Option("--hint", help="latency, throughput.")] = "latency,throughput",
    seconds: Annotated[float, typer.Option("--seconds", min=0.1, help="Time for each row.")] = 5.0,
    json: Json = False,
) -> None:
    """Measure images a second, latency, memory and load time, each combination in its own process."""
    from reidctl.benchmarking import PRESETS
    from reidctl.benchmarking import bench as measure

    named = models or list(PRESETS)
    precisions, hints = _words(precision), _words(hint)
    unknown = [word for word in precisions if word not in PRECISIONS]
    if unknown:
        raise ConfigError(f"--precision: '{unknown[0]}' is none of {', '.join(PRECISIONS)}")
    batches = _numbers(batch)
    total = len(named) * len(precisions) * len(batches) * len(hints)
    with output.progress("measure", total) as advance:
        rows = measure(
            named,
            device=device,
            precisions=precisions,
            batches=batches,
            hints=hints,
            seconds=seconds,
            progress=lambda _: advance(1),
        )
    if json:
        output.json("reidctl.bench/1", {"device": device, "rows": [row.as_dict() for row in rows]})
    else:
        show(rows)
    if all(row.error for row in rows):
        raise CheckFailed(f"nothing could be measured: {rows[0].error}")


def show(rows: list[BenchRow]) -> None:
    """Print the rows as a table; a combination that is not to be had says why."""
    columns = ["model", "runtime", "precision", "batch", "hint", "images/s", "p50 ms", "p90 ms", "load s", "MiB"]
    lines: list[list[object]] = []
    for row in rows:
        found = row.measured
        figures: list[object] = [row.error, "", "", "", ""]
        if found is not None:
            memory = round(found.memory_mib) if found.memory_mib else None
            figures = [round(found.fps, 1), f"{found.p50_ms:.2f}", f"{found.p90_ms:.2f}", f"{found.load_s:.2f}", memory]
        lines.append([row.model, row.runtime, row.precision, row.batch, row.hint, *figures])
    output.table(columns, lines)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _numbers(text: str) -> list[int]:
    words = _words(text)
    if not words or not all(word.isdecimal() and int(word) > 0 for word in words):
        raise ConfigError(f"--batch {text}: not numbers from 1, separated by commas", "write --batch 1,8")
    return [int(word) for word in words]
