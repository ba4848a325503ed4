"""Values of a configuration that are each right and do not go together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reidctl.config.schema import RunConfig


def contradiction(config: RunConfig | Any) -> str | None:
    """The first one in words, or None; of a configuration, or of anything that has its attributes."""
    return _of_the_tests(config) or _of_the_rate(config) or _of_the_course(config) or _of_the_data(config)


def _of_the_tests(config: RunConfig) -> str | None:
    train = config.train
    if train.best_metric.startswith("rank-") and int(train.best_metric[5:]) not in config.eval.ranks:
        return f"train.best_metric {train.best_metric} is none of eval.ranks {list(config.eval.ranks)}"
    if train.patience and not (train.eval_every and config.data.targets):
        return "train.patience needs tests: data.targets and train.eval_every"
    return None


def _of_the_rate(config: RunConfig) -> str | None:
    train = config.train
    if train.schedule == "one_cycle" and train.warmup_epochs:
        return "train.warmup_epochs: schedule one_cycle has a rise of its own"
    if train.new_layers and train.base_lr_mult == 1:
        return "train.new_layers needs train.base_lr_mult below 1"
    if train.sam_rho and train.precision == "f16":
        return "train.sam_rho: a scaled gradient may overflow between its two passes; use bf16 or f32"
    return None


def _of_the_course(config: RunConfig) -> str | None:
    train, data = config.train, config.data
    if data.sampler != "random" and train.batch_size % data.images_per_identity:
        return (
            f"train.batch_size {train.batch_size} is no multiple of data.images_per_identity "
            f"{data.images_per_identity}, as sampler {data.sampler} needs"
        )
    if train.schedule == "multi_step" and not train.milestones:
        return "train.schedule multi_step needs train.milestones"
    if list(train.milestones) != sorted(set(train.milestones)):
        return f"train.milestones {list(train.milestones)} do not rise"
    if train.fixbase_epochs and not train.open_layers:
        return "train.fixbase_epochs needs train.open_layers"
    if train.warmup_epochs >= train.epochs:
        most = f"{train.epochs - 1} or less" if train.epochs > 1 else "0"
        return f"train.warmup_epochs {train.warmup_epochs} leaves none of {train.epochs} epochs: set it to {most}"
    return None


def _of_the_data(config: RunConfig) -> str | None:
    data = config.data
    if config.train.teacher and data.batch_transforms:
        return "data.batch_transforms mix people, and train.teacher was taught none that are mixed"
    if data.combineall and not data.allow_leakage:
        shared = [spec.name for spec in data.sources if spec in data.targets]
        if shared:
            return f"data.combineall would train on the test images of the target '{min(shared)}'"
    return None
