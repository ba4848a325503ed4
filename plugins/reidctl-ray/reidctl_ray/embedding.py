"""Embed a list with the actors of a cluster: Ray Data hands out shards, again those of actors that died."""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from reidctl.errors import ExistsError
from reidctl.files import only_writer
from reidctl.types import Sample
from reidctl_ray.cluster import failure, require_room
from reidctl_ray.shards import Shards, Task
from reidctl_ray.worker import ShardEmbedder, heard


@dataclass
class Embedded:
    """What a call did: shards and rows there are now, shards that an earlier call had finished, images left out."""

    shards: int
    rows: int
    kept: int
    skipped: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Pool:
    """Workers: how many, and the cores and GPUs that Ray sets apart for each."""

    actors: int
    cpus: float = 1
    gpus: float = 0


def embed_on_cluster(
    task: Task,
    samples: Sequence[Sample],
    rows: int,
    pool: Pool,
    *,
    force: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Embedded:
    """Embed samples into shards of about `rows` in `task.folder`, in their order, on the cluster this process is in.

    Shards that an earlier call finished are kept. progress takes how many images more are done. ConfigError where the
    pool does not fit into the cluster, ExistsError where the folder holds something else or another call writes there,
    InputError for an image that cannot be read; what was finished is kept.
    """
    require_room(pool.actors, pool.cpus, pool.gpus)
    if task.folder.is_file():
        raise ExistsError(f"{task.folder} is a file", "shards go into a folder: name another")
    with only_writer(task.folder):
        return _embed_on_cluster(task, Shards(task, samples, rows, force=force), pool, progress or (lambda _: None))


def _embed_on_cluster(task: Task, shards: Shards, pool: Pool, report: Callable[[int], None]) -> Embedded:
    pending = [shard for shard in range(shards.count) if shards.finished_rows(shard) is None]
    kept = sorted(set(range(shards.count)) - set(pending))
    skipped = [path for shard in kept for path in (shards.missing(shard) if task.skip_bad else [])]
    report(sum(len(shards.samples(shard)) for shard in kept))
    for shard, left_out in _answers(task, shards, pending, pool):
        skipped += left_out
        report(len(shards.samples(shard)))
    return Embedded(shards.count, shards.require_finished(), len(kept), skipped)


def _answers(task: Task, shards: Shards, pending: Sequence[int], pool: Pool) -> Any:
    """(shard, images left out) as they are done; the first that could not be is raised."""
    if not pending:
        return
    import ray.data
    from ray.exceptions import RayError

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    items = [{"shard": shard, "samples": pickle.dumps(tuple(shards.samples(shard)))} for shard in pending]
    done = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
        ShardEmbedder,
        fn_constructor_args=(task,),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=min(pool.actors, len(items))),
        num_cpus=pool.cpus,
        num_gpus=pool.gpus,
    )
    try:
        for row in done.iter_rows():
            if row["problem"]:
                raise heard(row["problem"])
            yield row["shard"], json.loads(row["skipped"])
    except RayError as error:
        raise failure(error) from error
