"""What an actor of Ray Data does: open the model once, embed one shard of the list after the other."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from reidctl import errors
from reidctl.cli.targets import open_model
from reidctl.errors import InputError, ReidError
from reidctl.files import replacing
from reidctl.retrieval.bulk import Plan, embed_to_file
from reidctl_ray.shards import Task, shard_path

if TYPE_CHECKING:
    from reidctl.types import Sample

Row = dict[str, Any]


class ShardEmbedder:
    """Rows {shard, samples} come, one at a time, and rows {shard, rows, skipped, problem} go.

    The embeddings themselves go into the shard's file, not through the cluster's memory. The file takes its name when
    it is whole, so that an actor that dies leaves nothing, and one that was taken for dead does no harm: both write
    the same. What a user can mend is told in `problem`; Ray would try it again.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._opened: Any = None

    def __call__(self, batch: dict[str, np.ndarray[Any, Any]]) -> Row:
        found = [self._answer(int(batch["shard"][0]), pickle.loads(batch["samples"][0]))]
        return {key: np.array([row[key] for row in found]) for key in found[0]}

    def _answer(self, shard: int, samples: Sequence[Sample]) -> Row:
        try:
            rows, skipped = self._embedded(shard, samples)
        except ReidError as error:
            return {"shard": shard, "rows": 0, "skipped": "[]", "problem": told(error)}
        except OSError as error:
            reason = f"{error.filename}: {error.strerror}" if error.filename else str(error)
            return {"shard": shard, "rows": 0, "skipped": "[]", "problem": told(InputError(reason))}
        return {"shard": shard, "rows": rows, "skipped": json.dumps(skipped), "problem": ""}

    def _embedded(self, shard: int, samples: Sequence[Sample]) -> tuple[int, list[str]]:
        task = self._task
        if self._opened is None:
            self._opened = open_model(task.model, task.device, task.precision, task.input, task.extension)
        with replacing(shard_path(task.folder, shard)) as temporary:
            plan = Plan(temporary, task.made, task.batch_size, workers=task.threads, skip_bad=task.skip_bad)
            found = embed_to_file(self._opened.embedder, samples, plan)
        return found.rows, [str(problem.where) for problem in found.skipped]


def told(error: ReidError) -> str:
    """An error as text, for the way to the driver."""
    return json.dumps([type(error).__name__, str(error), error.hint])


def heard(text: str) -> ReidError:
    """The error again; one of a kind that `reidctl.errors` does not have is an InputError."""
    name, message, hint = json.loads(text)
    kind: type[ReidError] = getattr(errors, name, InputError)
    return kind(message, hint)
