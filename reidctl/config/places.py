"""Where a configuration names parts."""

from __future__ import annotations

from reidctl import registry as registries
from reidctl.registry import Registry

PLACES: dict[tuple[str, ...], Registry] = {
    ("model",): registries.models,
    ("train", "mutual"): registries.models,
    ("losses",): registries.losses,
    ("data", "sources"): registries.datasets,
    ("data", "targets"): registries.datasets,
    ("data", "transforms"): registries.transforms,
    ("data", "batch_transforms"): registries.batch_transforms,
    ("loggers",): registries.loggers,
}
"""The key paths, at each a part or a list of them, and what they are parts of."""
