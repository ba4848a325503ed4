"""Measure artefacts side by side, each combination in a process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from reidctl.artefacts import runtime_for
from reidctl.benchmarking.axes import Axes, Combination, combinations
from reidctl.benchmarking.files import Files
from reidctl.benchmarking.pictures import files_of
from reidctl.benchmarking.rows import Accuracy, BenchRow, summary
from reidctl.benchmarking.worker import Job, Round, measure, vectors
from reidctl.errors import InputError, ReidError
from reidctl.retrieval import evaluate
from reidctl.runtimes.child import embedding_limit_s, run_in_child
from reidctl.types import Embeddings, ReidData, Sample

if TYPE_CHECKING:
    from reidctl.types import Float32

PRESETS = ("retail-0248", "retail-0265", "retail-0267", "retail-0270")


def bench(
    models: Sequence[str | Path] = PRESETS,
    axes: Axes = Axes(),  # noqa: B008 - frozen
    *,
    seconds: float = 5.0,
    repeats: int = 3,
    data: ReidData | None = None,
    timeout_s: float = 300.0,
    progress: Callable[[], None] = lambda: None,
) -> list[BenchRow]:
    """Measure every combination of the models and the axes for `seconds`, in `repeats` rounds through all of them.

    models: checkpoints, ONNX files, IR, run folders or presets (random weights), converted on the way as the axes ask.
    So the repeats of a row are minutes apart, and their spread shows what else the machine did, or that it throttled.
    data: what accuracy is measured on; its gallery is what `frames` and `jpeg` are made of, drawn pedestrians without.
    Its training images are what INT8 is calibrated on; drawn pedestrians do for speed alone. A
    combination that crashes, takes longer than timeout_s beyond its seconds, or is not to be had becomes a row with its
    reason, and is not repeated; a row whose accuracy alone fails keeps its speed. progress is called after each
    measurement, combinations × repeats times.
    Raises InputError for a model or device that is not there, ConfigError for nothing to measure.
    """
    if seconds <= 0 or repeats < 1:
        raise InputError("seconds are above 0 and repeats 1 or more")
    chosen = combinations(models, axes)
    with tempfile.TemporaryDirectory(prefix="reidctl-") as folder:
        drawn = Path(folder, "pictures")
        drawn.mkdir()
        shown = files_of(data.gallery if data else (), drawn) if set(axes.starts) != {"ready"} else ()
        calibration = _calibration(data, drawn) if "int8" in axes.weights else ()
        runs = [_Run(row) for row in chosen]
        files = Files(Path(folder), calibration)
        for _ in range(repeats):
            for run in runs:
                run.repeat(files, shown, seconds / repeats, timeout_s)
                progress()
        accuracies = _accuracies(runs, data) if data else {}
    return [run.row(accuracies.get(run.network)) for run in runs]


@dataclass
class _Run:
    """A row while it is measured."""

    what: Combination
    rounds: list[Round] = field(default_factory=list)
    job: Job | None = None
    error: str | None = None

    @property
    def network(self) -> tuple[object, ...]:
        """What its accuracy depends on."""
        return self.what._replace(batch=0, hint="", streams=None, start="")

    def repeat(self, files: Files, samples: tuple[Sample, ...], seconds: float, timeout_s: float) -> None:
        if self.error is not None:
            return
        try:
            self.job = self.job or _job(self.what, files, samples, seconds)
            self.rounds.append(run_in_child(measure, self.job, timeout_s=timeout_s + seconds))
        except ReidError as error:
            self.error = str(error)

    def row(self, scored: Accuracy | ReidError | None) -> BenchRow:
        if self.error is not None:
            return BenchRow(self.what, error=self.error)
        if isinstance(scored, ReidError):
            return BenchRow(self.what, summary(self.rounds), error=f"no accuracy: {scored}")
        return BenchRow(self.what, summary(self.rounds), scored)


def _job(what: Combination, files: Files, samples: tuple[Sample, ...], seconds: float) -> Job:
    path = files.of(what)
    return Job(
        path,
        runtime_for(path).name,
        what.device,
        what.precision,
        what.batch,
        what.hint,
        seconds,
        compiled=what.engine == "compiled",
        streams=what.streams,
        start=what.start,
        samples=samples if what.start != "ready" else (),
    )


def _calibration(data: ReidData | None, folder: Path) -> Sequence[Sample]:
    return (data.train or data.gallery) if data else files_of((), folder)


def _accuracies(runs: Sequence[_Run], data: ReidData) -> dict[tuple[object, ...], Accuracy | ReidError]:
    """By network, of those whose speed could be measured: their accuracy, or why that could not be."""
    found: dict[tuple[object, ...], Accuracy | ReidError] = {}
    samples = (*data.query, *data.gallery)
    for run in runs:
        if run.job is None or run.error is not None or run.network in found:
            continue
        try:
            embedded = run_in_child(vectors, run.job, samples, timeout_s=embedding_limit_s(len(samples)))
        except ReidError as error:
            found[run.network] = error
        else:
            found[run.network] = _accuracy(embedded, data)
    return found


def _accuracy(embedded: Float32, data: ReidData) -> Accuracy:
    queries = len(data.query)
    query, gallery = Embeddings(embedded[:queries], data.query), Embeddings(embedded[queries:], data.gallery)
    found = evaluate(query, gallery)
    return Accuracy(data.name, found.mAP, found.cmc[1])
