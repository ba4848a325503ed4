"""What each part of the recipes `retail-quick` and `retail-tuned` carries: one of them, and it without one part each.

    python benchmarks/recipe.py --root data                                     from scratch
    python benchmarks/recipe.py --root data --weights retail-0267.onnx          retail-tuned, from trained weights
    python benchmarks/recipe.py --root data --only recipe "no erasing" --set train.epochs=4
    python benchmarks/recipe.py --root data --jobs 5 --set data.workers=2           on a machine with a GPU, say
    python benchmarks/recipe.py --root data --list                              the parts

No test set decides: of the training people of data/market1501 every fifth, drawn by lot, is held out, and runs are
tested on those, parted as the data set `csv` does. Trainings take hours in all, so they can be stopped: one that was
finished is kept, one that was under way goes on. --runs is the folder they lie in; runs of other settings want another
one. --set is for all of them.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from side_by_side.results import NotHere, Report, add_json, run
from side_by_side.runs import add_runs

from reidctl import load_dataset
from reidctl.config import load_config
from reidctl.errors import ConfigError, InputError, suggestion

if TYPE_CHECKING:
    from reidctl.types import ReidData

RECIPE = "recipe"
ALIKE = {
    RECIPE: [],
    "no crop": ["data.transforms.0.p=0"],
    "no flip": ["data.transforms.2.p=0"],
    "hard labels": ["losses.0.label_smoothing=0"],
    "no triplets": ["losses.1.weight=0"],
    "any order": ["data.sampler=random", "losses.1.weight=0"],
    "cameras alike": ["data.sampler=balanced"],
    "two drops": ["train.schedule=multi_step", "train.milestones=[HALF, LATE]"],
    "no warm-up": ["train.warmup_epochs=0"],
    "no mean": ["train.ema_decay=null"],
}
CHANGES = {
    "retail-quick": {
        **ALIKE,
        "no colours": ["data.transforms.3.p=0"],
        "no erasing": ["data.transforms.4.p=0"],
        "whole margin": ["losses.0.margin=0.35"],
    },
    "retail-tuned": {
        **ALIKE,
        "colours": [
            "data.transforms=[{name: random_crop, p: 0.5, scale: 0.9}, resize, {name: random_flip, p: 0.5}, "
            "{name: color_jitter, p: 0.5}, {name: random_erase, p: 0.4, area: [0.02, 0.25]}]"
        ],
        "no erasing": ["data.transforms.3.p=0"],
        "half the margin": ["losses.0.margin=0.2"],
        "scale 30": ["losses.0.scale=30"],
        "light triplets": ["losses.1.weight=1"],
        "shorter mean": ["train.ema_decay=0.99"],
        "half as fast": ["train.base_lr_mult=0.05"],
        "twice as fast": ["train.base_lr_mult=0.2"],
        "all at once": ["train.fixbase_epochs=0"],
    },
}
"""Of each preset the parts by name, and what takes each away; HALF and LATE: two and three quarters of the epochs."""


def list_people(data: ReidData, table: Path) -> None:
    """Write the training images as a table, of which the data set `csv` holds people out."""
    with table.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "identity", "camera"])
        for sample in data.train:
            rows.writerow([Path(str(sample.image)).resolve(), sample.identity, sample.camera])


def preset(options: argparse.Namespace) -> str:
    return "retail-tuned" if options.weights else "retail-quick"


def settings(options: argparse.Namespace, table: Path, name: str) -> list[str]:
    """The keys of one run."""
    people = f"[{{name: csv, file: {table.name}, train_fraction: 0.8}}]"
    paths = {"data.root": table.parent, "runs": options.runs}
    if options.weights:
        paths["weights"] = options.weights
    sets = [f"data.sources={people}", f"data.targets={people}"]
    # Quoted, since a # would end it.
    sets += [f"{key}={json.dumps(str(path), ensure_ascii=False)}" for key, path in paths.items()]
    sets += options.set
    epochs = load_config(preset=preset(options), sets=sets).config.train.epochs
    changes = CHANGES[preset(options)][name]
    return [*sets, f"train.eval_every={epochs}", *(at_drops(change, epochs) for change in changes)]


def at_drops(change: str, epochs: int) -> str:
    """A change with the epochs at which rates drop."""
    return change.replace("HALF", str(epochs // 2)).replace("LATE", str(3 * epochs // 4))


def train(name: str, folder: Path, sets: list[str]) -> None:
    """Train it, go on with it, or leave it as it is where it was finished."""
    steps = ["--resume", str(folder)]
    if not (folder / "weights" / "last.pt").exists():
        steps = ["--preset", name, "--run", folder.name, "--exist-ok"]
        steps += [word for each in sets for word in ("--set", each)]
    elif finished(folder):
        return
    done = subprocess.run([sys.executable, "-m", "reidctl", "train", *steps], stdout=sys.stderr, check=False)
    if done.returncode:
        raise InputError(f"{folder}: the training ended with {done.returncode}", "what it said is above")


def finished(folder: Path) -> bool:
    """Whether its last epoch, which is tested, is among those it wrote of."""
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return any(key.endswith(".mAP") for key in json.loads(lines[-1])) if lines else False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="folder that holds market1501")
    parser.add_argument("--weights", type=Path, help="to start from: retail-tuned in place of retail-quick")
    parser.add_argument("--only", nargs="+", metavar="PART", help="see --list")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="for all runs")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    parser.add_argument("--runs", type=Path, default=Path("runs/recipe"))
    parser.add_argument("--list", action="store_true", help="the parts, and what takes them away")
    add_json(parser)
    options = parser.parse_args()
    if options.list:
        for name, changes in CHANGES[preset(options)].items():
            print(f"{name:16} {' '.join(changes)}")
        return
    known = CHANGES[preset(options)]
    for name in options.only or ():
        if name not in known:
            raise ConfigError(f"'{name}' is no part of {preset(options)}", suggestion(name, known, "see --list"))
    if not options.root:
        raise NotHere("trainings of hours, which are made when they are asked for", "name the images with --root")
    options.runs = options.runs.resolve()
    options.runs.mkdir(parents=True, exist_ok=True)
    report, table = Report(options.json), options.runs / "people.csv"
    list_people(load_dataset("market1501", options.root), table)
    names = list(dict.fromkeys([RECIPE, *(options.only or known)]))
    folders = [options.runs / name.replace(" ", "-") for name in names]
    with ThreadPoolExecutor(options.jobs) as pool:
        # Asked for all results, of which the first error is one.
        list(pool.map(partial(train, preset(options)), folders, [settings(options, table, name) for name in names]))
    add_runs(report, f"{preset(options)}, tested on people of the training images who were held out", folders)
    report.finish()


if __name__ == "__main__":
    run(main)
