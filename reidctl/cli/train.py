"""`reidctl train`: a network from images, shown while it learns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reidctl.cli.options import Files, Json, Preset, Root, Sets, root_layer
from reidctl.cli.output import output

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from reidctl.config import RunConfig
    from reidctl.training.progress import EpochInfo, Plan, StepInfo


def train(
    preset: Preset = None,
    config: Files = [],
    set_: Sets = [],
    root: Root = None,
    run: Annotated[str | None, typer.Option("--run", help="Name of the run's folder.", show_default=False)] = None,
    resume: Annotated[
        str | None,
        typer.Option("--resume", metavar="RUN|last", help="Go on with a run that was stopped.", show_default=False),
    ] = None,
    exist_ok: Annotated[bool, typer.Option("--exist-ok", help="Replace an earlier run of that name.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Build everything, show the plan, take one step, stop.")
    ] = False,
    json: Json = False,
) -> None:
    """Train a network: `reidctl train --preset retail-0267 --root data`."""
    from reidctl.training import train as run_training

    if resume is not None:
        given = {
            "--preset": preset,
            "--config": config,
            "--set": set_,
            "--root": root,
            "--run": run,
            "--exist-ok": exist_ok,
        }
        refused = [flag for flag, value in given.items() if value]
        if refused:
            raise typer.BadParameter(f"a run goes on with its own configuration; leave out {', '.join(refused)}")
    folder = None if resume is None else _run_folder(resume)
    settings = _resumed(folder) if folder else configured(preset, config, set_, root, run)
    with Watcher() as watcher:
        if dry_run:
            _dry_run(settings, watcher, json)
            return
        checkpoint = run_training(settings, resume=folder, exist_ok=exist_ok, observer=watcher)
    if json:
        output.json("reidctl.train/1", {"checkpoint": str(checkpoint.path), "metrics": checkpoint.info.metrics})
    else:
        output.text(str(checkpoint.path))


def configured(preset: str | None, files: list[Path], sets: list[str], root: Path | None, run: str | None) -> RunConfig:
    """The configuration of a new run, every parameter of every part checked."""
    from reidctl.config import load_config
    from reidctl.config.layers import Layer
    from reidctl.config.parts import check_parts

    named = [] if run is None else [Layer("--run", {"run": run})]
    loaded = load_config(preset, files, sets, [*root_layer(root), *named])
    check_parts(loaded)
    return loaded.config


def _run_folder(run: str) -> Path:
    """The folder of a run to go on with; `last` is the run that was started last."""
    from reidctl.errors import InputError

    folder = Path("runs", "latest") if run == "last" else Path(run)
    if not (folder / "config.yaml").is_file():
        raise InputError(f"{folder}: no run to go on with", "give a folder that holds config.yaml and weights/last.pt")
    return folder.resolve()


def _resumed(folder: Path) -> RunConfig:
    from reidctl.config import load_config
    from reidctl.config.layers import Layer

    here = Layer("--resume", {"run": folder.name, "runs": str(folder.parent)})
    return load_config(files=[folder / "config.yaml"], flags=[here]).config


def _dry_run(config: RunConfig, watcher: Watcher, json: bool) -> None:
    from dataclasses import asdict

    from reidctl.training import dry_run

    plan, step = dry_run(config)
    watcher.on_start(plan)
    if json:
        output.json("reidctl.train-plan/1", {**asdict(plan), "folder": str(plan.folder), "step": asdict(step)})
    else:
        parts = ", ".join(f"{name} {value:.3f}" for name, value in step.losses.items())
        output.text(f"ok: one step taken, loss {step.loss:.3f} ({parts}); nothing was written")


class Watcher:
    """Shows a run: bars on a terminal, one line an epoch everywhere."""

    def __init__(self) -> None:
        self._bars: Progress | None = None
        self._task: TaskID | None = None

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
        train = plan.train
        output.note(
            f"{plan.model}: {plan.parameters:,} parameters (losses {plan.loss_parameters:,}) on {plan.device}"
            f" -> {plan.folder}"
        )
        output.note(
            f"train: {train['images']:,} images, {train['identities']:,} identities, {train['cameras']} cameras; "
            f"{plan.epochs} epochs of {plan.steps:,} steps"
        )
        for name, rows in plan.targets.items():
            counts = ", ".join(f"{row['part']} {row['images']:,}" for row in rows if row["part"] != "train")
            output.note(f"test: {name}: {counts}")

    def on_step(self, step: StepInfo) -> None:
        """Move the bar."""
        if self._bars is None:
            return
        if self._task is None:
            self._task = self._bars.add_task("", total=step.steps)
        shown = f"epoch {step.epoch} loss {step.loss:.3f} lr {step.lr:.2g}"
        if step.top1 is not None:
            shown += f" top1 {step.top1:.0%}"
        self._bars.update(self._task, description=shown, completed=step.step, total=step.steps)

    def on_epoch(self, epoch: EpochInfo) -> None:
        """One line: what was learned, how fast, and what the test found."""
        width = len(str(epoch.epochs))
        words: list[Any] = [f"epoch {epoch.epoch:>{width}}/{epoch.epochs}", f"loss {epoch.loss:.3f}"]
        if epoch.top1 is not None:
            words.append(f"top1 {epoch.top1:.1%}")
        words += [f"lr {epoch.lr:.3g}", f"{epoch.images_per_second:.0f} images/s", f"{epoch.seconds:.0f} s"]
        for name, metrics in epoch.metrics.items():
            rank1 = next(iter(metrics.cmc.items()))
            words.append(f"{name} rank-{rank1[0]} {rank1[1]:.1%} mAP {metrics.mAP:.1%}")
        output.note("  ".join(words) + ("  *" if epoch.best else ""))
