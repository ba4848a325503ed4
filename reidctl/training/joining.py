"""How the processes that torchrun starts find each other, and how they end together."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count

import torch
import torch.distributed as dist
from torch.distributed import PrefixStore, Store  # type: ignore[attr-defined]
from torch.distributed.rendezvous import rendezvous

from reidctl.errors import ConfigError, ReidError
from reidctl.training.processes import ALONE, Processes, connected

TIMEOUT = timedelta(minutes=30)
"""The longest that one process is waited for: while the first one ranks a large gallery the others wait."""
LAST_WORDS = 1.0
"""Seconds that the process with an error is left to say why: torchrun ends all when one has ended."""
ERRORS = "errors"
_JOINS = count()


@contextmanager
def together() -> Iterator[Processes]:
    """Join the processes that torchrun started, as its environment variables tell; a process on its own is alone.

    Within the block a second call joins nothing anew. An error that ends the block in one process ends all others, and
    goes on in the first one that has any; the others leave by SystemExit, without a word.
    ConfigError where the environment is none of torchrun's.
    """
    if dist.is_available() and dist.is_initialized():
        yield _joined()
        return
    if os.environ.get("WORLD_SIZE", "1") == "1":
        yield ALONE
        return
    store = _join()
    try:
        yield _joined()
    except BaseException as error:
        if not _is_first_error(store):
            time.sleep(LAST_WORDS)
            raise SystemExit(_exit_code(error)) from None  # It is told elsewhere.
        raise
    finally:
        dist.destroy_process_group()


def _join() -> Store:
    try:
        if "LOCAL_RANK" not in os.environ:
            raise ValueError("LOCAL_RANK is not")
        store, rank, size = next(rendezvous("env://", timeout=TIMEOUT))
    except (ValueError, RuntimeError) as error:
        raise ConfigError(
            f"WORLD_SIZE is set, but the processes do not find each other: {' '.join(str(error).split())}",
            "start them with `torchrun --standalone --nproc-per-node N -m reidctl train …`, or unset WORLD_SIZE",
        ) from error
    # What an earlier group of the same processes left in the store would be taken for this one's.
    store = PrefixStore(f"reidctl/{next(_JOINS)}", store)
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
    with connected():
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=TIMEOUT)
    return store


def _is_first_error(store: Store) -> bool:
    try:
        return bool(store.add(ERRORS, 1) == 1)
    except RuntimeError:
        # The process that held the store is gone, and nobody can be asked.
        return True


def _exit_code(error: BaseException) -> int:
    if isinstance(error, KeyboardInterrupt):
        return 130
    return error.exit_code if isinstance(error, ReidError) else ReidError.exit_code


def _joined() -> Processes:
    size = dist.get_world_size()
    here = int(os.environ.get("LOCAL_RANK", "0")), int(os.environ.get("LOCAL_WORLD_SIZE", size))
    return Processes(dist.get_rank(), size, *here)
