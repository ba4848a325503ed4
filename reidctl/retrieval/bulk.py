"""Any number of images into a feature file, part by part, so that a call that was killed goes on where it was."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from reidctl.data.problems import Problem
from reidctl.errors import ExistsError, InputError
from reidctl.files import only_writer, refuse_existing, remove_unfinished, write_text
from reidctl.retrieval.features import (
    Block,
    Features,
    Labels,
    Made,
    files_of,
    gathered,
    open_features,
    require_format,
    write_features,
)
from reidctl.retrieval.features.parquet import write_parquet
from reidctl.retrieval.pipeline import embed_stream

if TYPE_CHECKING:
    from reidctl.data.images import ImageError
    from reidctl.types import Float32, Sample, StreamEmbedder

PART_ROWS = 1024
"""Images whose embeddings are held until they are written: what a killed call loses at most, and a little more."""

JOB = "job.json"
SKIPPED = "reidctl.skipped"


@dataclass(frozen=True)
class Embedded:
    """What a call did.

    rows of the file, of which `before` were there before and `resumed` come from an earlier call that was stopped;
    images that were already there, and bad ones.
    """

    rows: int
    before: int
    resumed: int
    already_there: int
    skipped: list[Problem]


@dataclass(frozen=True)
class Plan:
    """Where embeddings go, and how.

    batch_size: images the engine takes at once; workers: decoding threads, 0 for one a core; skip_bad: leave images
    out that cannot be read; append: to what is there; force: replace what is there, and what another call began.
    """

    path: Path
    made: Made
    batch_size: int
    workers: int = 0
    skip_bad: bool = False
    append: bool = False
    force: bool = False


def embed_to_file(
    embedder: StreamEmbedder,
    samples: Sequence[Sample],
    plan: Plan,
    progress: Callable[[int], None] | None = None,
) -> Embedded:
    """Embed samples into `plan.path`, in their order; memory holds two parts of embeddings, however many there are.

    Finished parts are kept in `<path>.unfinished` until the file takes its name. A call that finds them of the same
    samples, model and settings goes on from there and ends with the same bytes. progress takes how many images more
    are done. Appending leaves out samples whose file (or, drawn, whose name) is there already.
    ExistsError where the file is there, or parts of another call, without `force`, and where another process is writing
    it; InputError for an image that cannot be read, and to append to what another model made.
    """
    require_format(plan.path)
    with only_writer(_folder(plan.path)):
        return _embed_to_file(embedder, samples, plan, progress)


def _folder(path: Path) -> Path:
    return path.with_name(f"{path.name}.unfinished")


def _embed_to_file(
    embedder: StreamEmbedder, samples: Sequence[Sample], plan: Plan, progress: Callable[[int], None] | None
) -> Embedded:
    base = _base(plan)
    there = _there(base.labels()) if base else set()
    new = [sample for sample in samples if _key(sample) not in there] if there else samples
    parts = _Parts(plan, new, base)
    remove_unfinished(parts.folder)
    finished = {part: rows for part in range(parts.count) if (rows := parts.rows(part)) is not None}
    pending = [part for part in range(parts.count) if part not in finished]
    if progress:
        progress(len(samples) - sum(len(parts.samples(part)) for part in pending))
    if pending:
        _embed_parts(embedder, parts, pending, plan, progress)
    rows, skipped = parts.join()
    before = base.rows if base else 0
    return Embedded(rows, before, sum(finished.values()), len(samples) - len(new), skipped)


def _base(plan: Plan) -> Features | None:
    """What to append to; ExistsError or InputError where there is something that may not be touched."""
    if plan.append and plan.force:
        raise InputError("to append and to replace exclude each other", "leave --append or --force out")
    if not (plan.append and plan.path.exists()):
        for file in files_of(plan.path):
            refuse_existing(file, plan.force)
        return None
    base = Features([open_features(plan.path)])
    if base.made is None:
        raise InputError(f"{plan.path} does not say what model made it", "embed its images again")
    if different := base.made.differences(plan.made, strict=True):
        raise InputError(
            f"{plan.path} was made by another model: {', '.join(different)}",
            "append with the model that made it, or write another file",
        )
    return base


def _there(rows: Iterable[Labels]) -> set[str]:
    return {path or name for labels in rows for path, name in zip(labels.paths, labels.names, strict=True)}


def _key(sample: Sample) -> str:
    return str(sample.image.absolute()) if isinstance(sample.image, Path) else sample.name


def _embed_parts(
    embedder: StreamEmbedder,
    parts: _Parts,
    pending: Sequence[int],
    plan: Plan,
    progress: Callable[[int], None] | None,
) -> None:
    """Embed the parts in one stream, and write each when its last batch is done."""
    size = plan.batch_size
    batches, places = [], []
    for part in pending:
        samples = parts.samples(part)
        batches += [samples[start : start + size] for start in range(0, len(samples), size)]
        places += [(part, start) for start in range(0, len(samples), size)]
    under_way: dict[int, _Collected] = {}

    def done(index: int, vectors: Float32, bad: dict[int, ImageError]) -> None:
        part, start = places[index]
        if part not in under_way:
            under_way[part] = _Collected(len(parts.samples(part)), plan.made.info.embedding_dim)
        if under_way[part].add(start, vectors, bad):
            parts.write(part, under_way.pop(part))
        if progress:
            progress(len(vectors))

    embed_stream(embedder, batches, size, done, skip_bad=plan.skip_bad, workers=plan.workers)


class _Collected:
    """The rows of one part as they come."""

    def __init__(self, rows: int, dim: int) -> None:
        self.vectors = np.empty((rows, dim), np.float32)
        self.bad: dict[int, ImageError] = {}
        self._missing = rows

    def add(self, start: int, vectors: Float32, bad: dict[int, ImageError]) -> bool:
        """Take the rows from `start` on; whether they were the last."""
        self.vectors[start : start + len(vectors)] = vectors
        self.bad |= {start + place: error for place, error in bad.items()}
        self._missing -= len(vectors)
        return not self._missing


class _Parts:
    """The folder of finished parts, and the file that they become."""

    def __init__(self, plan: Plan, samples: Sequence[Sample], base: Features | None) -> None:
        self.folder = _folder(plan.path)
        self._plan, self._samples, self._base = plan, samples, base
        self._rows = -(-PART_ROWS // plan.batch_size) * plan.batch_size
        self.count = -(-len(samples) // self._rows)
        job = self._job()
        record = self.folder / JOB
        if record.is_file():
            self._require_same(job)
        else:
            self._clear()
        write_text(record, json.dumps(job, indent=2) + "\n")

    def _job(self) -> dict[str, str | int | bool]:
        """What must be the same for a call to go on with what another one began."""
        digest = hashlib.sha256()
        for sample in self._samples:
            digest.update(f"{_key(sample)}\0{sample.name}\0{sample.identity}\0{sample.camera}\n".encode())
        stat = self._plan.path.stat() if self._base else None
        return {
            "images": len(self._samples),
            "list": digest.hexdigest(),
            "model": json.dumps(self._plan.made.to_strings(), sort_keys=True),
            "batch size": self._plan.batch_size,
            "bad images": "skip" if self._plan.skip_bad else "error",
            "appended to": f"{stat.st_size} bytes of {stat.st_mtime_ns}" if stat else "nothing",
        }

    def _require_same(self, job: dict[str, str | int | bool]) -> None:
        try:
            begun = json.loads((self.folder / JOB).read_text(encoding="utf-8"))
        except ValueError:
            begun = {}
        # Where a bad image stopped a call, another one may leave it out; parts without it are looked at apart.
        different = [key for key in job if key != "bad images" and begun.get(key) != job[key]]
        if not different:
            return
        if not self._plan.force and ("model" in different or not self._joined()):
            done = len(list(self.folder.glob("*.parquet")))
            anew = f"remove {self.folder}" if self._plan.append else "--force"
            raise ExistsError(
                f"{self.folder} holds {done} parts of another call: not the same are {', '.join(different)}",
                f"give the same arguments to go on with it, or {anew} to begin anew",
            )
        self._clear()

    def _joined(self) -> bool:
        """Whether the file that is appended to has all of the parts: a call was killed just before it cleared them."""
        if not self._base:
            return False
        there = _there(self._base.labels())
        try:
            return all(_there(open_features(part).labels()) <= there for part in self.folder.glob("*.parquet"))
        except InputError:
            return False

    def _clear(self) -> None:
        """Take away what is in the folder, which is locked; the record first, without which the rest is nothing."""
        (self.folder / JOB).unlink(missing_ok=True)
        for left in self.folder.iterdir():
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)

    def samples(self, part: int) -> Sequence[Sample]:
        """Those of one part."""
        return self._samples[part * self._rows : (part + 1) * self._rows]

    def rows(self, part: int) -> int | None:
        """How many rows a part has that is there, whole; None for one that is to be done, be it again."""
        path = self._path(part)
        try:
            file = open_features(path)
            skipped = len(_skipped(file.strings))
            whole = file.rows + skipped == len(self.samples(part)) and (self._plan.skip_bad or not skipped)
            return file.rows if whole else None
        except InputError:
            path.unlink(missing_ok=True)
            return None

    def write(self, part: int, collected: _Collected) -> None:
        """Write a part that is complete."""
        kept = np.ones(len(collected.vectors), bool)
        kept[list(collected.bad)] = False
        problems = [[error.kind, str(error.path), error.reason] for _, error in sorted(collected.bad.items())]
        block = Block(Labels.of(self.samples(part)).kept(kept), collected.vectors[kept])
        strings = {SKIPPED: json.dumps(problems)}
        write_parquet(self._path(part), iter([block]), int(kept.sum()), collected.vectors.shape[1], strings)

    def join(self) -> tuple[int, list[Problem]]:
        """Make one file of what there was and all parts, and take the parts away; its rows, and the bad images."""
        files = [open_features(self._path(part)) for part in range(self.count)]
        skipped = [problem for file in files for problem in _skipped(file.strings)]
        sources = [*(self._base.files if self._base else ()), *files]
        rows = sum(source.rows for source in sources)
        # A shard of fewer images than shards has none.
        blocks = Features(sources).blocks() if sources else iter(())
        write_features(self._plan.path, gathered(blocks), rows, self._plan.made)
        self._clear()
        return rows, skipped

    def _path(self, part: int) -> Path:
        return self.folder / f"{part:06d}.parquet"


def _skipped(strings: dict[str, str]) -> list[Problem]:
    return [Problem(*fields) for fields in json.loads(strings.get(SKIPPED, "[]"))]
