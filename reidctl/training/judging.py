"""What the test of an epoch means for the rest of the run."""

from __future__ import annotations

from dataclasses import replace

from reidctl.config.schema import RunConfig
from reidctl.training.state import Progress


def is_tested(config: RunConfig, epoch: int) -> bool:
    """Whether the network is tested after `epoch`, from 0."""
    every = config.train.eval_every
    due = epoch + 1 == config.train.epochs or (every > 0 and (epoch + 1) % every == 0)
    return due and bool(config.data.targets)


def is_over(config: RunConfig, progress: Progress) -> bool:
    """Whether all epochs are trained, or train.patience is at its end."""
    patience = config.train.patience
    return progress.epoch >= config.train.epochs or (patience is not None and progress.stale >= patience)


def is_best(progress: Progress, score: float | None) -> bool:
    """Whether a test that gave `score` is better than all before."""
    return score is not None and (progress.best is None or score > progress.best)


def judged(config: RunConfig, progress: Progress, score: float | None, loss: float) -> Progress:
    """`progress` after an epoch of mean `loss` and, where it was tested, `score`: the higher the better.

    The schedule `plateau` watches the scores, or where nothing is tested on the way the losses: after plateau_patience
    in a row with nothing better the rate is multiplied by gamma, and the count begins anew.
    """
    if score is not None:
        better = is_best(progress, score)
        progress = replace(progress, best=score if better else progress.best, stale=0 if better else progress.stale + 1)
    seen = score if config.data.targets and config.train.eval_every else -loss
    if config.train.schedule == "plateau" and seen is not None:
        progress = _watched(config, progress, seen)
    return progress


def _watched(config: RunConfig, progress: Progress, seen: float) -> Progress:
    if progress.watched is None or seen > progress.watched:
        return replace(progress, watched=seen, flat=0)
    if progress.flat + 1 < config.train.plateau_patience:
        return replace(progress, flat=progress.flat + 1)
    return replace(progress, flat=0, lr_factor=progress.lr_factor * config.train.gamma)
