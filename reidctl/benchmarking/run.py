"""Measure artefacts side by side, each combination in a process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

from reidctl.artefacts import locate, runtime_for
from reidctl.benchmarking.worker import Job, Measured, measure
from reidctl.errors import InputError, ReidError
from reidctl.export.onnx import export_onnx
from reidctl.runtimes.child import run_in_child

PRESETS = ("retail-0248", "retail-0265", "retail-0267", "retail-0270")
HINTS = ("latency", "throughput")


@dataclass(frozen=True)
class BenchRow:
    """One combination and what was measured of it, or why nothing was.

    precision is that of the arithmetic; weights that of the file.
    """

    model: str
    runtime: str
    precision: str
    batch: int
    hint: str
    measured: Measured | None = None
    error: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `--json`, what was measured beside the rest."""
        values = asdict(self)
        measured = values.pop("measured") or dict.fromkeys(Measured.__dataclass_fields__)
        return {**values, **measured}


def bench(
    models: Sequence[str | Path] = PRESETS,
    *,
    device: str = "CPU",
    precisions: Sequence[str] = ("f32", "bf16"),
    batches: Sequence[int] = (1, 8),
    hints: Sequence[str] = HINTS,
    seconds: float = 5.0,
    timeout_s: float = 300.0,
    progress: Callable[[BenchRow], None] | None = None,
) -> list[BenchRow]:
    """Measure every model × precision × batch × hint for `seconds` each, one after the other.

    models: checkpoints, ONNX files, IR or run folders; a preset is exported to ONNX with random weights first. Images
    are random uint8 RGB of the right size, so their conversion is measured and their reading is not. hint `latency`:
    one batch at a time, `throughput`: as many as the engine likes. A combination that crashes, takes longer than
    timeout_s beyond its seconds, or is not to be had becomes a row with its reason. progress takes each row.
    Raises InputError for a model that is not there or nothing to measure.
    """
    _require(models, batches, hints, seconds)
    rows = []
    with ExitStack() as cleanup:
        for name, path in _files(models, cleanup):
            runtime = runtime_for(path).name
            for precision, batch, hint in product(precisions, batches, hints):
                job = Job(path, runtime, device, precision, batch, hint, seconds)
                row = BenchRow(name, runtime, precision, batch, hint, *_result(job, timeout_s + seconds))
                rows.append(row)
                if progress:
                    progress(row)
    return rows


def _require(models: Sequence[str | Path], batches: Sequence[int], hints: Sequence[str], seconds: float) -> None:
    if not models:
        raise InputError("no models to measure")
    if seconds <= 0 or any(batch < 1 for batch in batches):
        raise InputError("seconds are above 0 and batches 1 or more")
    unknown = set(hints) - set(HINTS)
    if unknown:
        raise InputError(f"hint '{min(unknown)}' is none of {', '.join(HINTS)}")
    for model in models:
        locate(model)


def _files(models: Sequence[str | Path], cleanup: ExitStack) -> Iterator[tuple[str, Path]]:
    """(what the user called it, the file), presets exported on the way."""
    exported: dict[str, Path] = {}
    for model in models:
        found = locate(model)
        if isinstance(found, str):
            if found not in exported:
                folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="reidctl-")))
                exported[found] = export_onnx(found, folder / "preset.onnx")
            found = exported[found]
        yield str(model), found


def _result(job: Job, timeout_s: float) -> tuple[Measured | None, str | None]:
    try:
        return run_in_child(measure, job, timeout_s=timeout_s), None
    except ReidError as error:
        return None, str(error)
