"""Training, from a configuration to a checkpoint."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from reidctl.config.parts import with_defaults
from reidctl.config.schema import RunConfig
from reidctl.data.statistics import statistics
from reidctl.errors import TrainingError
from reidctl.training.checkpoint import Checkpoint, describe, load_checkpoint, save_checkpoint
from reidctl.training.curves import draw_curves
from reidctl.training.interrupt import Interrupt
from reidctl.training.judging import is_best, is_over, is_tested, judged
from reidctl.training.learner import peer_configs
from reidctl.training.loggers import told
from reidctl.training.progress import EpochInfo, Observer, Plan, StepInfo, Unobserved
from reidctl.training.run import Run, computing
from reidctl.training.run_folder import RunFolder, beside_peer
from reidctl.training.schedules import lr_at
from reidctl.training.state import Progress, load_state, require_finite, save_state
from reidctl.training.steps import named, report, steps, take_steps
from reidctl.training.validation import mean_score, validate
from reidctl.types import ArtefactInfo, Metrics

logger = logging.getLogger(__name__)

ROLLBACKS = 5
"""How often a run goes back to its last state before it gives up."""


def train(
    config: RunConfig, *, resume: Path | None = None, exist_ok: bool = False, observer: Observer | None = None
) -> Checkpoint:
    """Train what `config` describes; the checkpoint with the best train.best_metric, without a target the last.

    resume: the folder of a run to go on with where it was last saved, with the same result as without the stop.
    Otherwise the run's folder is `config.runs / config.run_name`, and exist_ok lets it replace an earlier run there.
    Ctrl-C finishes the step, saves, and raises KeyboardInterrupt. torch's generators are seeded on the way.
    Raises ExistsError, where another process trains in the folder too, ConfigError, InputError, PluginError or
    MissingExtra before anything is written; TrainingError when a loss is not finite and DiskFull, after which what was
    saved before is still there.
    In each of the processes that torchrun started it trains with the others, as `reidctl.training.joining` has it; the
    first one writes and observes.
    """
    config = with_defaults(config)
    folder = RunFolder(resume.resolve() if resume else config.runs / config.run_name)
    with computing(config) as processes, ExitStack() as held:
        going_on = processes.on_first(partial(_goes_on, held, folder, resume is not None, exist_ok))
        run = Run(config, resumed=going_on, processes=processes)
        progress = load_state(folder.state, run) if going_on else Progress()
        with closing(run.batches), _opened(run, progress if going_on else None, folder, observer) as everyone:
            _train(run, progress, folder, everyone)
        return processes.on_first(lambda: load_checkpoint(folder.best if folder.best.exists() else folder.last))


def _goes_on(held: ExitStack, folder: RunFolder, resumed: bool, exist_ok: bool) -> bool:
    """Whether there is a state to go on from, in the folder that is now held for this run alone.

    ExistsError where another process trains there, or where a new run would replace an earlier one unasked.
    """
    held.enter_context(folder.claimed())
    if not resumed and not exist_ok:
        folder.require_free()
    return resumed and folder.has_state()


@contextmanager
def _opened(run: Run, resumed: Progress | None, folder: RunFolder, observer: Observer | None) -> Iterator[Observer]:
    """The folder made ready, and all who are told of the run while the block goes on: in the first process alone."""
    if not run.processes.first:
        yield Unobserved()
        return
    with told(observer or Unobserved(), run.config, folder.path) as everyone:
        if resumed:
            folder.forget_after(resumed.epoch)
        else:
            folder.clear()
        with folder.opened(run.config, run.device):
            yield everyone


def dry_run(config: RunConfig) -> tuple[Plan, StepInfo]:
    """The plan of `train(config)` and its first step, taken for a trial; nothing is written."""
    config = with_defaults(config)
    with computing(config) as processes:
        run = Run(config, processes=processes)
        with closing(run.batches), closing(steps(run, Progress(), Interrupt())) as under_way:
            taken = next(under_way)
        return _plan(run), report(run, taken, taken.reading.numbers())


def _plan(run: Run) -> Plan:
    config = run.config
    return Plan(
        folder=config.runs / config.run_name,
        device=str(run.device) + (f", {run.processes.size} processes" if run.processes.size > 1 else ""),
        compiled=run.compiled,
        model=config.model.name,
        parameters=sum(parameter.numel() for parameter in run.model.parameters()),
        loss_parameters=sum(parameter.numel() for parameter in run.losses.parameters()),
        train=statistics(run.data)[0],
        targets={target.name: statistics(target)[1:] for target in run.targets},
        epochs=config.train.epochs,
        steps=run.steps(0),
        images=config.train.batch_size * config.train.accumulate,
        course=_course(config),
        weights=run.loaded,
    )


def _course(config: RunConfig) -> str:
    train = config.train
    words = [
        train.optimizer + (f" with SAM (rho {train.sam_rho:g})" if train.sam_rho else ""),
        f"lr {train.lr:g} {train.schedule}",
        f"batches of {train.batch_size}" + (f" × {train.accumulate}" if train.accumulate > 1 else ""),
        train.precision,
        *([f"EMA {train.ema_decay:g}"] if train.ema_decay else []),
        *([f"taught by {train.teacher.model}"] if train.teacher else []),
        *([f"beside {', '.join(spec.name for spec in train.mutual)}"] if train.mutual else []),
        *([f"only {', '.join(train.open_layers)} for {train.fixbase_epochs} epochs"] if train.fixbase_epochs else []),
    ]
    if config.data.targets:
        often = "every epoch" if train.eval_every == 1 else f"every {train.eval_every} epochs"
        when = often if 0 < train.eval_every <= train.epochs else "at the end"
        words.append(f"tested {when}, best by {train.best_metric}")
    return ", ".join(words)


def _train(run: Run, progress: Progress, folder: RunFolder, observer: Observer) -> None:
    observer.on_start(_plan(run))
    if run.loaded:
        logger.info("%s", "\n  ".join(run.loaded.lines()))
    if run.config.train.on_nan == "rollback" and progress == Progress():
        save_state(folder.state, run, progress)
    if run.teacher:
        run.teacher.prepare(run.processes, partial(observer.on_prepare, "teacher"))
    while not is_over(run.config, progress):
        try:
            progress = _epoch(run, progress, folder, observer)
        except TrainingError as error:
            progress = _rolled_back(run, folder, error)
    if progress.epoch < run.config.train.epochs:
        logger.info("stopped after epoch %s: nothing better in %s tests", progress.epoch, progress.stale)
    if run.processes.first:
        draw_curves(folder.rows(), folder.curves)


def _epoch(run: Run, progress: Progress, folder: RunFolder, observer: Observer) -> Progress:
    """Train what is left of an epoch, test and save; where the next one starts. KeyboardInterrupt after Ctrl-C."""
    save = partial(_save_state, run, progress, folder)
    interrupted = take_steps(run, progress, observer, save)
    tested = is_tested(run.config, progress.epoch)
    if interrupted or tested:
        save()
    if interrupted:
        # All wait for it, because torchrun ends all when one has ended.
        run.processes.on_first(lambda: _save_weights(run, folder.last, describe(run.kept, run.config)))
        place = f"epoch {progress.epoch + 1} after step {progress.step}"
        logger.warning("interrupted in %s and saved: --resume %s goes on", place, folder.path)
        raise KeyboardInterrupt
    metrics = validate(run.kept, run.targets, run.config, run.device, run.processes) if tested else {}
    score = mean_score(metrics, run.config.train.best_metric)
    info = _finished(run, progress, metrics, best=is_best(progress, score))
    progress = judged(run.config, progress, score, info.loss).next_epoch()
    _save(run, progress, info, folder)
    logger.info("%s", info)
    observer.on_epoch(info)
    return progress


def _save_state(run: Run, progress: Progress, folder: RunFolder) -> None:
    require_finite(run, progress)
    save_state(folder.state, run, progress)


def _rolled_back(run: Run, folder: RunFolder, error: TrainingError) -> Progress:
    """Where the last state was saved, to go on at half the rate; raises `error` where that is not wanted or no use."""
    if run.config.train.on_nan == "stop":
        raise error
    progress = load_state(folder.state, run)
    if progress.rollbacks == ROLLBACKS:
        raise error
    run.batches.close()
    if run.processes.first:
        folder.forget_after(progress.epoch)
    progress = replace(progress, lr_factor=progress.lr_factor / 2, rollbacks=progress.rollbacks + 1)
    save_state(folder.state, run, progress)
    place = f"epoch {progress.epoch + 1} after step {progress.step}"
    logger.warning("%s; back to %s, at %g of the learning rate", error, place, progress.lr_factor)
    return progress


def _finished(run: Run, progress: Progress, metrics: dict[str, Metrics], *, best: bool) -> EpochInfo:
    config, count = run.config.train, progress.step
    loss, losses, top1 = named(run, [total / count for total in progress.sums])
    return EpochInfo(
        epoch=progress.epoch + 1,
        epochs=config.epochs,
        lr=lr_at(config, progress.epoch, count - 1, count) * progress.lr_factor,
        loss=loss,
        losses=losses,
        top1=top1,
        seconds=progress.seconds,
        images_per_second=run.batches.steps(progress.epoch) * config.batch_size / progress.seconds,
        waiting=progress.waited / progress.seconds,
        metrics=metrics,
        best=best,
    )


def _save(run: Run, progress: Progress, finished: EpochInfo, folder: RunFolder) -> None:
    """The state last: a run that is killed here does the epoch's end again and comes to the same."""
    require_finite(run, progress)
    if not run.processes.first:
        return
    info = describe(run.kept, run.config, finished.tested())
    if finished.best:
        _save_weights(run, folder.best, info)
    _save_weights(run, folder.last, info)
    folder.append(finished.row())
    save_state(folder.state, run, progress)


def _save_weights(run: Run, path: Path, info: ArtefactInfo) -> None:
    """The checkpoint of the network, and beside it those of the networks that it learns with."""
    save_checkpoint(path, run.kept, run.config, info)
    for number, (config, peer) in enumerate(zip(peer_configs(run.config), run.learners[1:], strict=True), start=1):
        save_checkpoint(beside_peer(path, number), peer.model, config, describe(peer.model, config))
