"""The folder that an embedding job fills: one feature file for each shard of the list, and what the job is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reidctl.errors import ExistsError, InputError
from reidctl.files import remove_unfinished, write_text
from reidctl.retrieval.features import Made, open_features
from reidctl.types import Sample

JOB = "job.json"


@dataclass(frozen=True)
class Task:
    """What every worker is told: the model and its options, as `reidctl embed` has them, and where the shards go."""

    folder: Path
    model: str
    made: Made
    batch_size: int
    device: str
    precision: str | None
    input: str | None
    extension: Path | None
    skip_bad: bool
    threads: int


class Shards:
    """Consecutive shards of `rows` samples each, the last one smaller; what another call finished is kept.

    A shard is a whole number of batches, so that the network sees the very batches that `reidctl embed` makes.
    ExistsError where the folder holds the shards of another job, without `force`, or something else.
    """

    def __init__(self, task: Task, samples: Sequence[Sample], rows: int, *, force: bool) -> None:
        self._task, self._samples = task, samples
        self._rows = -(-rows // task.batch_size) * task.batch_size
        self.count = -(-len(samples) // self._rows)
        self._take_over(force)

    def samples(self, shard: int) -> Sequence[Sample]:
        """Those of one shard."""
        return self._samples[shard * self._rows : (shard + 1) * self._rows]

    def finished_rows(self, shard: int) -> int | None:
        """How many rows the shard's file has; None where it is not there whole, or lacks images that it should have."""
        path = shard_path(self._task.folder, shard)
        try:
            rows = open_features(path).rows
        except InputError:
            path.unlink(missing_ok=True)
            return None
        return rows if self._task.skip_bad or rows == len(self.samples(shard)) else None

    def require_finished(self) -> int:
        """The rows of all shards; InputError where one is missing."""
        rows = 0
        for shard in range(self.count):
            found = self.finished_rows(shard)
            if found is None:
                raise InputError(
                    f"{shard_path(self._task.folder, shard)} was written and is not there",
                    "all machines of the cluster must see the output folder under the same path",
                )
            rows += found
        remove_unfinished(self._task.folder)
        return rows

    def missing(self, shard: int) -> list[str]:
        """Images of a finished shard that were left out."""
        there = [
            path for labels in open_features(shard_path(self._task.folder, shard)).labels() for path in labels.paths
        ]
        wanted = [str(sample.image.absolute()) for sample in self.samples(shard) if isinstance(sample.image, Path)]
        return sorted(set(wanted) - set(there))

    def _take_over(self, force: bool) -> None:
        folder, job = self._task.folder, self._job()
        record = folder / JOB
        if record.is_file():
            begun = _read(record)
            # Where a bad image stopped a call, another one may leave it out.
            different = [key for key in job if key != "bad images" and begun.get(key) != job[key]]
            if different and not force:
                raise ExistsError(
                    f"{folder} holds the shards of another call: not the same are {', '.join(different)}",
                    "give the same arguments to go on with it, or --force to begin anew",
                )
            if different or force:
                for file in folder.glob("*.parquet"):
                    file.unlink()
        elif folder.is_dir() and any(folder.iterdir()):
            raise ExistsError(f"{folder} holds other files", "name a folder that is empty, or not there yet")
        write_text(record, json.dumps(job, indent=2) + "\n")
        remove_unfinished(folder)

    def _job(self) -> dict[str, str | int]:
        """What must be the same for a call to go on with what another one began."""
        digest = hashlib.sha256()
        for sample in self._samples:
            where = str(sample.image.absolute()) if isinstance(sample.image, Path) else ""
            digest.update(f"{where}\0{sample.name}\0{sample.identity}\0{sample.camera}\n".encode())
        return {
            "images": len(self._samples),
            "list": digest.hexdigest(),
            "model": json.dumps(self._task.made.to_strings(), sort_keys=True),
            "rows a shard": self._rows,
            "batch size": self._task.batch_size,
            "bad images": "skip" if self._task.skip_bad else "error",
        }


def shard_path(folder: Path, shard: int) -> Path:
    """The file of a shard: in the order of their names they are the whole list."""
    return folder / f"{shard:06d}.parquet"


def _read(record: Path) -> dict[str, str | int]:
    try:
        found = json.loads(record.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
