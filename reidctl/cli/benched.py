"""What `reidctl bench` found: a table, what to deploy, and what makes the figures doubtful."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reidctl.cli.output import output

if TYPE_CHECKING:
    from reidctl.benchmarking import BenchRow

COLUMNS = ("model", "engine", "device", "arithmetic", "weights", "batch", "hint", "streams", "from")
FIGURES = ("images/s", "±", "p50 ms", "p95 ms", "p99 ms", "CPU ms", "load s", "MiB")


def tell(rows: Sequence[BenchRow], json: bool) -> None:
    """Print all of it, and warn of rows without accuracy, and of those whose repeats are too far apart."""
    from reidctl.benchmarking import advise, remarks
    from reidctl.processor import processor

    here = processor()
    advice, remarked = advise(rows), remarks(here)
    noisy = [row for row in rows if row.noisy]
    if json:
        found = {
            "machine": here._asdict(),
            "rows": [row.as_dict() for row in rows],
            "advice": [one.as_dict() for one in advice],
            "remarks": remarked,
        }
        output.json("reidctl.bench/2", found)
    else:
        show(rows)
        for one in advice:
            output.text(f"\n{one.row.what.model}: for {one.goal} deploy {_words(one.row)}")
            for reason in one.reasons:
                output.text(f"  {reason}")
        for remark in remarked:
            output.text(f"\n{remark}")
    for reason, count in Counter(row.error for row in rows if row.measured and row.error).items():
        output.warning(f"{count} of {len(rows)} rows: {reason}")
    if noisy:
        worst = max(noisy, key=lambda row: row.measured.spread if row.measured else 0)
        assert worst.measured
        output.warning(
            f"noise: {len(noisy)} of {len(rows)} rows changed by more than 10 % between their repeats, the worst by "
            f"{worst.measured.spread:.0%}: something else ran here, or the processor throttled; measure again in quiet"
        )


def _words(row: BenchRow) -> str:
    what, found = row.what, row.measured
    assert found
    side = "one batch at a time" if found.requests == 1 else f"{found.requests} batches at once"
    return (
        f"{what.engine} on {what.device}, {what.precision} with {found.weights} weights, batch {what.batch}, {side}: "
        f"{found.fps:,.0f} images/s, {found.p50_ms:.1f} ms"
    )


def show(rows: Sequence[BenchRow]) -> None:
    """Print the rows as a table; a combination that is not to be had says why."""
    data = {row.accuracy.data for row in rows if row.accuracy}
    accuracy = [f"{name} {figure}" for name in data for figure in ("mAP", "rank-1")]
    names = _short(dict.fromkeys(row.what.model for row in rows))
    lines: list[list[object]] = []
    for row in rows:
        what = row.what
        found = row.measured or what  # What was asked for where nothing was found.
        place = [what.engine, what.device, what.precision, found.weights, what.batch, what.hint, found.streams]
        lines.append([names[what.model], *place, what.start, *_figures(row), *(_scores(row) if accuracy else ())])
    output.table([*COLUMNS, *FIGURES, *accuracy], lines)


def _short(models: Iterable[str]) -> dict[str, str]:
    """The name of each file without its folder, where that tells them apart."""
    short = {model: Path(model).name for model in models}
    return short if len(set(short.values())) == len(short) else {model: model for model in short}


def _figures(row: BenchRow) -> list[object]:
    found = row.measured
    if found is None:
        return [row.error, *[""] * (len(FIGURES) - 1)]
    times = [f"{value:.2f}" for value in (found.p50_ms, found.p95_ms, found.p99_ms, found.cpu_ms)]
    memory = round(found.memory_mib) if found.memory_mib else None
    return [f"{found.fps:.1f}", f"{found.spread:.0%}", *times, f"{found.load_s:.2f}", memory]


def _scores(row: BenchRow) -> list[object]:
    return [f"{row.accuracy.mAP:.4f}", f"{row.accuracy.rank1:.4f}"] if row.accuracy else ["", ""]


def write_csv(path: Path, rows: Sequence[BenchRow]) -> None:
    """The rows with all that `--json` has of them."""
    from reidctl.files import replacing

    lines = [row.as_dict() for row in rows]
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
