"""The learning rate of every step, told the time instead of remembering it."""

from __future__ import annotations

import math
from bisect import bisect_right

from reidctl.config.schema import TrainConfig

RISE, START, END = 0.3, 25.0, 1e4
"""one_cycle: the share of the run in which the rate rises, what it starts below its highest, ends below its start."""


def lr_at(config: TrainConfig, epoch: int, step: int, steps: int) -> float:
    """The learning rate of step `step` of the `steps` in `epoch`; both count from 0.

    constant: always lr. multi_step: lr times gamma for every milestone passed, constant within an epoch. cosine: half a
    cosine from lr to 0 (I. Loshchilov and F. Hutter, SGDR, https://arxiv.org/abs/1608.03983, equation 5, without
    restarts), falling with every step; it spans the epochs after the warm-up. one_cycle: half a cosine up from lr / 25
    in the first 30 % of the run, then half a cosine down to lr / 250,000 (L. N. Smith and N. Topin,
    https://arxiv.org/abs/1708.07120; momentum stays as it is). plateau: lr; what the run has seen multiplies it.
    Warm-up: the rate rises by the same amount with every step and is full at the last step of `warmup_epochs`.
    """
    passed = epoch + step / steps
    rate = config.lr * _decay(config, epoch, passed)
    if epoch < config.warmup_epochs:
        return rate * (epoch + (step + 1) / steps) / config.warmup_epochs
    return rate


def _decay(config: TrainConfig, epoch: int, passed: float) -> float:
    if config.schedule == "multi_step":
        return config.gamma ** bisect_right(config.milestones, epoch)
    if config.schedule == "one_cycle":
        run = passed / config.epochs
        if run < RISE:
            return _between(1 / START, 1.0, run / RISE)
        return _between(1.0, 1 / (START * END), (run - RISE) / (1 - RISE))
    if config.schedule == "cosine":
        falling = max(0.0, passed - config.warmup_epochs) / (config.epochs - config.warmup_epochs)
        return _between(1.0, 0.0, falling)
    return 1.0


def _between(first: float, last: float, share: float) -> float:
    """From `first` to `last` along half a cosine."""
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2
