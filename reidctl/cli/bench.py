"""`reidctl bench`: how fast artefacts are here, and which of them to deploy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reidctl.cli import bench_options as options
from reidctl.cli.benched import tell, write_csv
from reidctl.cli.options import Force, Json, Root
from reidctl.cli.output import output
from reidctl.errors import CheckFailed, ConfigError

if TYPE_CHECKING:
    from reidctl.benchmarking import BenchRow
    from reidctl.types import ReidData


def bench(
    models: options.Models = None,
    device: options.Devices = "CPU",
    engine: options.Engines = "openvino,eager",
    precision: options.Precisions = None,
    weights: options.StoredWeights = None,
    batch: options.Batches = "1,8",
    hint: options.Hints = "latency,throughput",
    streams: options.StreamCounts = "auto",
    start: options.Starts = "ready",
    seconds: options.Seconds = 5.0,
    repeats: options.Repeats = 3,
    data: options.TestData = None,
    root: Root = None,
    csv: options.Csv = None,
    plot: options.Plot = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Measure speed, latency, memory and load time, each combination in its own process; say which to deploy."""
    from reidctl.benchmarking import PRESETS, Axes, combinations
    from reidctl.benchmarking import bench as measure

    named = models or list(PRESETS)
    axes = Axes(
        devices=_words(device),
        engines=_words(engine),
        precisions=None if precision is None else _words(precision),
        weights=_words(weights or ""),
        batches=_numbers("--batch", batch),
        hints=_words(hint),
        streams=[None if word == "auto" else _numbers("--streams", word)[0] for word in _words(streams)],
        starts=_words(start),
    )
    _require_outputs(csv, plot, data, force)
    total = len(combinations(named, axes)) * repeats
    target = _target(data, root)
    with output.progress("measure", total) as advance:
        rows = measure(named, axes, seconds=seconds, repeats=repeats, data=target, progress=lambda: advance(1))
    tell(rows, json)
    if csv:
        write_csv(csv, rows)
    if plot:
        _draw(plot, rows)
    if all(row.error for row in rows):
        what = "no row could be measured in full" if any(row.measured for row in rows) else "nothing could be measured"
        raise CheckFailed(f"{what}: {rows[0].error}")


def _require_outputs(csv: Path | None, plot: Path | None, data: str | None, force: bool) -> None:
    """Fail before minutes of measuring, not after."""
    from reidctl.files import refuse_existing, require_writable

    if plot and data is None:
        raise ConfigError("--plot draws accuracy against speed, and accuracy needs --data", "add --data NAME[=DIR]")
    for path in (csv, plot):
        if path:
            refuse_existing(path, force)
            require_writable(path)


def _draw(path: Path, rows: Sequence[BenchRow]) -> None:
    from reidctl.benchmarking.plot import draw_tradeoff

    if not any(row.measured and row.accuracy for row in rows):
        output.warning(f"{path} was not drawn: no row has both speed and accuracy")
        return
    draw_tradeoff(rows, path)


def _target(data: str | None, root: Path | None) -> ReidData | None:
    from reidctl.cli.targets import open_targets

    return open_targets([data], root, None)[0] if data else None


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _numbers(option: str, text: str) -> list[int]:
    words = _words(text)
    if not words or not all(word.isdecimal() and int(word) > 0 for word in words):
        raise ConfigError(f"{option} {text}: not numbers from 1, separated by commas", f"write {option} 1,8")
    return [int(word) for word in words]
