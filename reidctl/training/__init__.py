"""Training: from a configuration to a checkpoint."""

from reidctl.training.checkpoint import Checkpoint, load_checkpoint
from reidctl.training.lr_finder import RangeTest, draw_range, find_lr
from reidctl.training.trainer import dry_run, train

__all__ = ["Checkpoint", "RangeTest", "draw_range", "dry_run", "find_lr", "load_checkpoint", "train"]
