"""Whose fault it is when a part fails in the middle of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from reidctl.errors import ReidError
from reidctl.plugins import OWN
from reidctl.registry import Registry
from reidctl.training.device import is_not_deterministic, lacks_memory


@contextmanager
def blamed(registry: Registry, name: str) -> Iterator[None]:
    """An error within the block becomes a PluginError that names the package of the part `name`.

    Left as they are: errors that say what to do, a lack of memory or of a deterministic algorithm, and what our own
    parts raise, which is a bug of ours.
    """
    try:
        yield
    except ReidError:
        raise
    except Exception as cause:
        entry = registry.find(name)
        if entry.package == OWN or lacks_memory(cause) or is_not_deterministic(cause):
            raise
        raise entry.fault(f"failed: {type(cause).__name__}: {cause}") from cause
