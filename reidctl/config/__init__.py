"""The configuration of a run: its schema, where its values come from, its presets."""

from reidctl.config.evaluation import Rerank
from reidctl.config.load import load_config
from reidctl.config.loaded import Loaded
from reidctl.config.schema import LossSpec, RunConfig

__all__ = ["Loaded", "LossSpec", "Rerank", "RunConfig", "load_config"]
