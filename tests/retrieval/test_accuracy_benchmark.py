import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from reidctl.data.write import export_layout
from reidctl.registry import datasets
from reidctl.types import Spec

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "accuracy.py"
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "REIDCTL_TEST_DATA"}


def run(*options: str | Path) -> Any:
    return subprocess.run([sys.executable, SCRIPT, *options], capture_output=True, text=True, env=ENVIRONMENT)


def test_models_and_runs_are_set_side_by_side(tmp_path: Path) -> None:
    people = datasets.build(Spec(name="synthetic", train_identities=1, test_identities=3), root=tmp_path)
    export_layout(people, tmp_path, "market1501")
    for name, rate, score in (("full", 0.1, 0.75), ("slow", 0.01, 0.5)):
        (tmp_path / name).mkdir()
        config = f"model: {{name: osnet_x0_25}}\nweights: {tmp_path}/w.onnx\ntrain: {{lr: {rate}, epochs: 2}}\n"
        (tmp_path / name / "config.yaml").write_text(config)
        row = {"epoch": 2, "seconds": 90, "loss": 1.0, "market1501.mAP": score, "market1501.rank1": 1.0}
        (tmp_path / name / "metrics.jsonl").write_text(json.dumps(row) + "\n")
    runs = ("--ablation", tmp_path / "full", tmp_path / "slow")
    done = run("one=retail-0248", "retail-0248", "--root", tmp_path, *runs, "--json")
    assert done.returncode == 0, done.stderr
    models, ablation = json.loads(done.stdout)["tables"]
    assert models["title"] == f"market1501: {len(people.query)} queries, {len(people.gallery)} images"
    first, second = models["rows"]
    assert (first["model"], second["model"], first["beside"]) == ("one", "retail-0248", 0)
    assert 0 < first["mAP"] <= 1
    assert second["beside"] == second["mAP"] - first["mAP"]
    titles = ["run", "market1501.mAP", "market1501.rank1", "minutes", "changed"]
    assert [column["title"] for column in ablation["columns"]] == titles
    assert [row["changed"] for row in ablation["rows"]] == ["", "train.lr 0.01"]
    assert [(row["minutes"], row["market1501.mAP"]) for row in ablation["rows"]] == [(1.5, 0.75), (1.5, 0.5)]


def test_without_models_and_images_it_says_so_and_ends_as_what_is_not_here() -> None:
    done = run()
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("not measured: no models and no images")
