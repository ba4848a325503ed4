"""The benchmark that takes a recipe apart, run on a few drawn people."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from reidctl import load_dataset
from reidctl.config import load_config
from reidctl.data.write import export_layout
from reidctl.registry import datasets
from reidctl.types import Spec

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "recipe.py"
SMALL = ("data.image={height: 64, width: 32}", "train.batch_size=8", "data.workers=0")
SHORT = ("train.epochs=1", "train.warmup_epochs=0")


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.slow
def test_parts_are_taken_away_one_by_one_and_people_held_out(tmp_path: Path) -> None:
    people = datasets.build(Spec(name="synthetic", train_identities=10, test_identities=1), root=tmp_path)
    export_layout(people, tmp_path, "market1501")
    runs = tmp_path / "runs"
    asked = ("--root", tmp_path, "--runs", runs, "--only", "no erasing", "--set", *SMALL, *SHORT, "--json")
    done = run(*asked)
    assert done.returncode == 0, done.stderr
    (table,) = json.loads(done.stdout)["tables"]
    assert [(row["run"], row["changed"]) for row in table["rows"]] == [
        ("recipe", ""),
        ("no-erasing", "random_erase.p 0.0"),
    ]
    held = load_dataset("csv", runs, file="people.csv", train_fraction=0.8)
    trained = {Path(str(sample.image)).name[:4] for sample in held.train}
    tested = {Path(str(sample.image)).name[:4] for sample in (*held.query, *held.gallery)}
    assert (len(trained), len(tested), trained & tested) == (8, 2, set())
    queries = [(sample.identity, sample.camera) for sample in held.query]
    assert set(queries) == {(sample.identity, sample.camera) for sample in (*held.query, *held.gallery)}
    assert len(queries) == len(set(queries))

    written = (runs / "recipe" / "metrics.jsonl").stat().st_mtime_ns
    again = run(*asked)
    assert json.loads(again.stdout)["tables"][0]["rows"] == table["rows"]
    assert (runs / "recipe" / "metrics.jsonl").stat().st_mtime_ns == written


def test_without_images_it_says_so_and_trains_nothing() -> None:
    done = run()
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("not measured: trainings of hours")


@pytest.mark.parametrize("preset", ["retail-quick", "retail-tuned"])
def test_every_part_that_is_taken_away_leaves_a_valid_configuration_that_differs(
    preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(SCRIPT.parent)
    script = runpy.run_path(str(SCRIPT))
    recipe = load_config(preset=preset).config
    for name, changes in script["CHANGES"][preset].items():
        found = load_config(preset=preset, sets=[script["at_drops"](change, 4) for change in changes]).config
        assert (found == recipe) == (name == "recipe"), name


def test_a_part_that_is_none_is_refused(tmp_path: Path) -> None:
    done = run("--root", str(tmp_path), "--only", "no colour")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "not measured: 'no colour' is no part of retail-quick; did you mean 'no colours'?\n"
