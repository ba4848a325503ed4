"""`reidctl train`: a network from images, shown while it learns."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reidctl.cli.options import AllowPartial, Files, Json, Preset, Root, Sets, Weights, root_layer
from reidctl.cli.output import output
from reidctl.cli.processes import in_all_processes
from reidctl.cli.weights import show_report

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from reidctl.config import RunConfig
    from reidctl.config.layers import Layer
    from reidctl.training.progress import EpochInfo, Plan, StepInfo
    from reidctl.weights import Report

SILENCE = 60
"""Seconds after which a long epoch is told of, where no bars move."""

Resume = Annotated[
    str | None,
    typer.Option("--resume", metavar="RUN|last", help="Go on with a run that was stopped.", show_default=False),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Build everything, show the plan, take one step, stop.")]
FindLr = Annotated[
    Path | None,
    typer.Option(
        "--find-lr",
        metavar="PNG",
        help="Instead of training, try rising learning rates, suggest one, draw the loss.",
        show_default=False,
    ),
]
FindLrSteps = Annotated[
    int, typer.Option("--find-lr-steps", min=20, help="Learning rates that --find-lr tries, a step each.")
]


@in_all_processes
def train(
    preset: Preset = None,
    config: Files = [],
    set_: Sets = [],
    root: Root = None,
    run: Annotated[str | None, typer.Option("--run", help="Name of the run's folder.", show_default=False)] = None,
    weights: Weights = None,
    allow_partial: AllowPartial = False,
    resume: Resume = None,
    exist_ok: Annotated[bool, typer.Option("--exist-ok", help="Replace an earlier run of that name.")] = False,
    dry_run: DryRun = False,
    find_lr: FindLr = None,
    find_lr_steps: FindLrSteps = 200,
    json: Json = False,
) -> None:
    """Train a network: `reidctl train --preset retail-0267 --root data`."""
    from reidctl.training import train as run_training

    if resume is None:
        flags = [*root_layer(root), *_flag_layers(run, weights, allow_partial)]
        folder, settings = None, configured(preset, config, set_, flags)
    else:
        new: dict[str, Any] = {"--preset": preset, "--config": config, "--set": set_, "--root": root, "--run": run}
        new |= {"--weights": weights, "--allow-partial": allow_partial, "--exist-ok": exist_ok, "--find-lr": find_lr}
        _refuse(new)
        folder = _run_folder(resume)
        settings = _resumed(folder)
    if find_lr:
        _find_lr(settings, find_lr, find_lr_steps, exist_ok, json)
        return
    with Watcher() as watcher:
        if dry_run:
            _dry_run(settings, watcher, json)
            return
        checkpoint = run_training(settings, resume=folder, exist_ok=exist_ok, observer=watcher)
    if json:
        started = watcher.weights.as_dict() if watcher.weights else None
        result = {"checkpoint": str(checkpoint.path), "metrics": checkpoint.info.metrics, "weights": started}
        output.json("reidctl.train/1", result)
    else:
        output.text(str(checkpoint.path))


def configured(preset: str | None, files: list[Path], sets: list[str], flags: Sequence[Layer] = ()) -> RunConfig:
    """The configuration of a new run, every parameter of every part checked."""
    from reidctl.config import load_config
    from reidctl.config.parts import check_parts

    loaded = load_config(preset, files, sets, flags)
    check_parts(loaded)
    return loaded.config


def _refuse(given: dict[str, Any]) -> None:
    refused = [flag for flag, value in given.items() if value]
    if refused:
        raise typer.BadParameter(f"a run goes on with its own configuration; leave out {', '.join(refused)}")


def _flag_layers(run: str | None, weights: Path | None, allow_partial: bool) -> list[Layer]:
    from reidctl.config.layers import Layer

    return [
        *([] if run is None else [Layer("--run", {"run": run})]),
        *([] if weights is None else [Layer("--weights", {"weights": str(weights)})]),
        *([Layer("--allow-partial", {"allow_partial": True})] if allow_partial else []),
    ]


def _run_folder(run: str) -> Path:
    """The folder of a run to go on with; `last` is the run that was started last."""
    from reidctl.errors import InputError

    folder = Path("runs", "latest") if run == "last" else Path(run)
    if not (folder / "config.yaml").is_file():
        raise InputError(f"{folder}: no run to go on with", "give the folder of a run that was stopped")
    return folder.resolve()


def _resumed(folder: Path) -> RunConfig:
    from reidctl.config import load_config
    from reidctl.config.layers import Layer

    here = Layer("--resume", {"run": folder.name, "runs": str(folder.parent)})
    return load_config(files=[folder / "config.yaml"], flags=[here], environment=False).config


def _dry_run(config: RunConfig, watcher: Watcher, json: bool) -> None:
    from dataclasses import asdict

    from reidctl.training import dry_run

    plan, step = dry_run(config)
    watcher.on_start(plan)
    if json:
        weights = plan.weights.as_dict() if plan.weights else None
        shown = {**asdict(plan), "folder": str(plan.folder), "weights": weights, "step": asdict(step)}
        output.json("reidctl.train-plan/1", shown)
    else:
        parts = ", ".join(f"{name} {value:.3f}" for name, value in step.losses.items())
        output.text(f"ok: one step taken, loss {step.loss:.3f} ({parts}); nothing was written")


def _find_lr(config: RunConfig, picture: Path, steps: int, exist_ok: bool, json: bool) -> None:
    from reidctl.errors import CheckFailed, ExistsError
    from reidctl.files import require_writable
    from reidctl.training.lr_finder import draw_range, find_lr

    if picture.exists() and not exist_ok:
        raise ExistsError(f"{picture} is already there", "give another path, or --exist-ok to replace it")
    require_writable(picture)
    with output.progress("learning rate", steps) as advance:
        found = find_lr(config, steps, advance)
    draw_range(found, picture)
    output.note(f"{len(found.rates)} rates from {found.rates[0]:.2g} to {found.rates[-1]:.2g} -> {picture}")
    if json:
        curve = {"rates": found.rates, "losses": found.losses}
        output.json("reidctl.find-lr/1", {"suggested": found.suggested, "picture": str(picture), **curve})
    elif found.suggested is not None:
        output.text(f"{found.suggested:.2g}")
    if found.suggested is None:
        raise CheckFailed("no learning rate lowered the loss", "look at the images: `reidctl datasets augment`")


class Watcher:
    """Shows a run: bars on a terminal, elsewhere a line a minute; one line an epoch everywhere."""

    def __init__(self) -> None:
        self._bars: Progress | None = None
        self._prepared: TaskID | None = None
        self._epoch: TaskID | None = None
        self._run: TaskID | None = None
        self._plan: Plan | None = None
        self._told: tuple[float, int] | None = None
        self.weights: Report | None = None

    def __enter__(self) -> Watcher:
        if output.interactive:
            self._bars = output.bars()
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars:
            self._bars.stop()

    def on_start(self, plan: Plan) -> None:
        """Say what is about to be done."""
        train, self.weights, self._plan = plan.train, plan.weights, plan
        if plan.weights:
            show_report(plan.weights)
        output.note(
            f"{plan.model}: {plan.parameters:,} parameters (losses {plan.loss_parameters:,}) on {plan.device}"
            + (", compiled at the first step" if plan.compiled else "")
            + f" -> {plan.folder}"
        )
        output.note(
            f"train: {train['images']:,} images, {train['identities']:,} identities, {train['cameras']} cameras; "
            f"epochs: {plan.epochs}, the first of {plan.steps:,} steps"
        )
        output.note(plan.course)
        for name, rows in plan.targets.items():
            counts = ", ".join(f"{row['part']} {row['images']:,}" for row in rows if row["part"] != "train")
            output.note(f"test: {name}: {counts}")

    def on_prepare(self, what: str, done: int, total: int) -> None:
        """A bar of its own for as long as it takes."""
        if self._bars is None:
            return
        if self._prepared is None:
            self._prepared = self._bars.add_task(what)
        self._bars.update(self._prepared, completed=done, total=total, visible=done < total)

    def on_step(self, step: StepInfo) -> None:
        """Move the bars: that of the epoch with its losses, that of the run with its speed."""
        if self._plan is None:
            return
        total = self._plan.epochs * self._plan.steps
        if self._bars is None:
            self._tell(step, self._plan, total)
            return
        if self._epoch is None or self._run is None:
            self._epoch, self._run = self._bars.add_task("", total=step.steps), self._bars.add_task("", total=total)
        done = (step.epoch - 1) * self._plan.steps + step.step
        self._bars.update(self._epoch, description=_shown(step), completed=step.step, total=step.steps)
        self._bars.update(self._run, completed=done)
        speed = next(task.speed for task in self._bars.tasks if task.id == self._run)
        rate = f"  {speed * self._plan.images:.0f} images/s" if speed else ""
        self._bars.update(self._run, description=f"epoch {step.epoch}/{self._plan.epochs}{rate}")

    def _tell(self, step: StepInfo, plan: Plan, total: int) -> None:
        """One line, where none was written for a while: how far the run is, and how long it takes at this pace."""
        now, done = time.monotonic(), (step.epoch - 1) * plan.steps + step.step
        # After a rollback the run is where it was before.
        if self._told is None or done <= self._told[1]:
            self._told = now, done
        before, first = self._told
        if now - before < SILENCE:
            return
        self._told = now, done
        seconds = (now - before) / (done - first)
        words = [f"epoch {step.epoch}/{plan.epochs}", f"step {step.step}/{step.steps}", _shown(step)]
        words += [f"{plan.images / seconds:.0f} images/s", f"{(total - done) * seconds / 60:.0f} min left"]
        output.note("  ".join(words))

    def on_epoch(self, epoch: EpochInfo) -> None:
        """One line: what was learned, how fast, and what the test found."""
        self._told = None
        width = len(str(epoch.epochs))
        words: list[Any] = [f"epoch {epoch.epoch:>{width}}/{epoch.epochs}", f"loss {epoch.loss:.3f}"]
        if epoch.top1 is not None:
            words.append(f"top1 {epoch.top1:.1%}")
        words += [f"lr {epoch.lr:.3g}", f"{epoch.images_per_second:.0f} images/s", f"{epoch.seconds:.0f} s"]
        for name, metrics in epoch.metrics.items():
            rank1 = next(iter(metrics.cmc.items()))
            words.append(f"{name} rank-{rank1[0]} {rank1[1]:.1%} mAP {metrics.mAP:.1%}")
        output.note("  ".join(words) + ("  *" if epoch.best else ""))


def _shown(step: StepInfo) -> str:
    parts = ", ".join(f"{name} {value:.3f}" for name, value in step.losses.items())
    words = [f"loss {step.loss:.3f}" + (f" ({parts})" if len(step.losses) > 1 else ""), f"lr {step.lr:.2g}"]
    return "  ".join(words if step.top1 is None else [*words, f"top1 {step.top1:.0%}"])
