"""The Ray cluster that a command works on."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reidctl.errors import ConfigError, InputError, MissingExtra, ReidError

if TYPE_CHECKING:
    from ray.exceptions import RayError


PATIENCE_S = 10.0
"""How long the cluster's port may take to answer."""


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Within the block this process is a driver of the cluster at `address`.

    `auto`: the one this machine belongs to, or that RAY_ADDRESS names; `local`: one of this machine alone, gone after
    the block; else a host and port. A program that is connected already stays so. MissingExtra where Ray is not
    installed, InputError where there is no cluster.
    """
    # Ray reports its use to its makers unless told otherwise; nobody asked for that here.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingExtra(f"Ray does not import: {error}", "pip install 'ray[data]'") from error
    if ray.is_initialized():
        yield
        return
    _require_answer(os.environ.get("RAY_ADDRESS", "") if address == "auto" else address)
    try:
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            **({"include_dashboard": False} if address == "local" else {}),
        )
    except Exception as error:  # Ray raises plain ones, too
        raise _no_cluster(address, _first_line(error)) from error
    try:
        yield
    finally:
        ray.shutdown()


def _require_answer(address: str) -> None:
    """InputError where nobody answers at [ray://]HOST:PORT, which Ray itself would try for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE_S).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, str(error)) from error


def _no_cluster(address: str, reason: str) -> InputError:
    return InputError(
        f"no Ray cluster at '{address}': {reason}",
        "start one with `ray start --head`, or work on this machine alone with --address local",
    )


def require_room(actors: int, cpus: float, gpus: float) -> None:
    """ConfigError where the cluster has not the cores and GPUs for so many actors, which Ray would wait for."""
    import ray

    there = ray.cluster_resources()
    for what, each in (("CPU", cpus), ("GPU", gpus)):
        held = there.get(what, 0)
        if actors * each > held:
            raise ConfigError(
                f"{actors} actors of {each:g} {what} each need more than the {held:g} that the cluster has",
                f"ask for at most {int(held // each)} with --actors" if held >= each else f"the cluster has no {what}",
            )


def cores() -> int:
    """Those of the whole cluster."""
    import ray

    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def failure(error: RayError) -> ReidError:
    """What stopped a worker, in one line: its own error where it is one that a user can mend."""
    cause: BaseException | None = error
    while cause is not None:
        own = getattr(cause, "cause", None)
        if isinstance(own, ReidError):
            return own
        cause = own if isinstance(own, BaseException) else cause.__cause__
    return InputError(f"a worker of the cluster failed: {_last_line(error)}", "its log on that machine says more")


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def _last_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__
