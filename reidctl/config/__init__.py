"""The configuration of a run: its schema, where its values come from, its presets.

Each name is imported when it is first used: whoever only looks at a configuration does without the schema.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reidctl.config.evaluation import Rerank
    from reidctl.config.load import load_config
    from reidctl.config.loaded import Loaded
    from reidctl.config.schema import LossSpec, RunConfig

_HOMES = {
    "Loaded": "loaded",
    "LossSpec": "schema",
    "Rerank": "evaluation",
    "RunConfig": "schema",
    "load_config": "load",
}

__all__ = ["Loaded", "LossSpec", "Rerank", "RunConfig", "load_config"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'reidctl.config' has no attribute '{name}'")
    return getattr(import_module(f"reidctl.config.{_HOMES[name]}"), name)
