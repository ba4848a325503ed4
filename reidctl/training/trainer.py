"""Training, from a configuration to a checkpoint."""

from __future__ import annotations

import logging
from contextlib import closing
from pathlib import Path

from reidctl.config.parts import with_defaults
from reidctl.config.schema import RunConfig
from reidctl.data.statistics import statistics
from reidctl.training.checkpoint import Checkpoint, describe, load_checkpoint, save_checkpoint
from reidctl.training.curves import draw_curves
from reidctl.training.device import algorithms, explained
from reidctl.training.interrupt import Interrupt
from reidctl.training.memory import kept_memory
from reidctl.training.progress import EpochInfo, Observer, Plan, StepInfo, Unobserved
from reidctl.training.run import Run
from reidctl.training.run_folder import RunFolder
from reidctl.training.schedules import lr_at
from reidctl.training.state import Progress, load_state, save_state
from reidctl.training.steps import named, report, steps, take_steps
from reidctl.training.validation import mean_ap, validate
from reidctl.types import Metrics

logger = logging.getLogger(__name__)


def train(
    config: RunConfig, *, resume: Path | None = None, exist_ok: bool = False, observer: Observer | None = None
) -> Checkpoint:
    """Train what `config` describes; the checkpoint with the highest mean mAP over the targets, without any the last.

    resume: the folder of a run to go on with where it stopped, with the same result as without the stop. Otherwise the
    run's folder is `config.runs / config.run_name`, and exist_ok lets it replace an earlier run there.
    Ctrl-C finishes the step, saves, and raises KeyboardInterrupt. torch's generators are seeded on the way.
    Raises ExistsError, ConfigError, InputError or PluginError before anything is written, TrainingError when a loss
    is not finite.
    """
    config = with_defaults(config)
    folder = RunFolder(resume.resolve() if resume else config.runs / config.run_name)
    if resume:
        folder.require_resumable()
    elif not exist_ok:
        folder.require_free()
    with algorithms(config.deterministic), kept_memory(), explained():
        run = Run(config, resumed=resume is not None)
        progress = load_state(folder.state, run) if resume else Progress()
        if resume:
            folder.forget_after(progress.epoch)
        else:
            folder.clear()
        with folder.opened(config, run.device), closing(run.batches):
            _train(run, progress, folder, observer or Unobserved())
    return load_checkpoint(folder.best if folder.best.exists() else folder.last)


def plan(config: RunConfig) -> Plan:
    """What `train(config)` would do: everything is built, nothing is written."""
    return _plan(Run(with_defaults(config)))


def dry_run(config: RunConfig) -> tuple[Plan, StepInfo]:
    """The plan of `train(config)` and its first step, taken for a trial; nothing is written."""
    config = with_defaults(config)
    with algorithms(config.deterministic), explained():
        run = Run(config)
        with closing(run.batches), closing(steps(run, Progress(), Interrupt())) as under_way:
            taken = next(under_way)
        return _plan(run), report(run, taken, taken.reading.numbers())


def _plan(run: Run) -> Plan:
    config = run.config
    return Plan(
        folder=config.runs / config.run_name,
        device=str(run.device),
        compiled=run.compiled,
        model=config.model.name,
        parameters=sum(parameter.numel() for parameter in run.model.parameters()),
        loss_parameters=sum(parameter.numel() for parameter in run.losses.parameters()),
        train=statistics(run.data)[0],
        targets={target.name: statistics(target)[1:] for target in run.targets},
        epochs=config.train.epochs,
        steps=run.batches.steps(0),
        weights=run.loaded,
    )


def _train(run: Run, progress: Progress, folder: RunFolder, observer: Observer) -> None:
    observer.on_start(_plan(run))
    if run.loaded:
        logger.info("%s", "\n  ".join(run.loaded.lines()))
    while progress.epoch < run.config.train.epochs:
        interrupted = take_steps(run, progress, observer)
        tested = _is_tested(run.config, progress.epoch)
        if interrupted or tested:
            save_state(folder.state, run, progress)
        if interrupted:
            save_checkpoint(folder.last, run.model, run.config, describe(run.model, run.config))
            place = f"epoch {progress.epoch + 1} after step {progress.step}"
            logger.warning("interrupted in %s and saved: --resume %s goes on", place, folder.path)
            raise KeyboardInterrupt
        metrics = validate(run.model, run.targets, run.config, run.device) if tested else {}
        info = _finished(run, progress, metrics)
        progress = progress.next_epoch(best=mean_ap(metrics) if info.best else progress.best)
        _save(run, progress, info, folder)
        logger.info("%s", info)
        observer.on_epoch(info)
    draw_curves(folder.rows(), folder.curves)


def _is_tested(config: RunConfig, epoch: int) -> bool:
    every = config.train.eval_every
    due = epoch + 1 == config.train.epochs or (every > 0 and (epoch + 1) % every == 0)
    return due and bool(config.data.targets)


def _finished(run: Run, progress: Progress, metrics: dict[str, Metrics]) -> EpochInfo:
    config, count = run.config.train, progress.step
    loss, losses, top1 = named(run, [total / count for total in progress.sums])
    score = mean_ap(metrics)
    return EpochInfo(
        epoch=progress.epoch + 1,
        epochs=config.epochs,
        lr=lr_at(config, progress.epoch, count - 1, count),
        loss=loss,
        losses=losses,
        top1=top1,
        seconds=progress.seconds,
        images_per_second=count * config.batch_size / progress.seconds,
        waiting=progress.waited / progress.seconds,
        metrics=metrics,
        best=score is not None and (progress.best is None or score > progress.best),
    )


def _save(run: Run, progress: Progress, finished: EpochInfo, folder: RunFolder) -> None:
    """The state last: a run that is killed here does the epoch's end again and comes to the same."""
    info = describe(run.model, run.config, finished.tested())
    if finished.best:
        save_checkpoint(folder.best, run.model, run.config, info)
    save_checkpoint(folder.last, run.model, run.config, info)
    folder.append(finished.row())
    save_state(folder.state, run, progress)
