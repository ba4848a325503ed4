"""Training: from a configuration to a checkpoint."""

from reidctl.training.checkpoint import Checkpoint, load_checkpoint
from reidctl.training.trainer import dry_run, plan, train

__all__ = ["Checkpoint", "dry_run", "load_checkpoint", "plan", "train"]
