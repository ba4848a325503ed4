import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML
from safetensors.numpy import save_file

from reidctl.errors import InputError
from reidctl.report.comparison import differences, read_entry


def run_folder(path: Path, rows: list[dict[str, Any]], **config: Any) -> Path:
    """A run's folder as training leaves it, with weights of 2·3 + 4 numbers and the statistics of a norm."""
    (path / "weights").mkdir(parents=True)
    whole = {"preset": None, "run": path.name, "model": {"name": "net"}, "train": {"epochs": 3, "best_metric": "mAP"}}
    YAML().dump({**whole, **config}, path / "config.yaml")
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (path / "env.json").write_text(json.dumps({"device": "cpu"}))
    arrays = {"conv.weight": np.ones((2, 3), np.float32), "norm.bias": np.ones(4, np.float32)}
    save_file({**arrays, "norm.running_mean": np.ones(4, np.float32)}, path / "weights" / "best.safetensors")
    return path


def row(epoch: int, **more: float) -> dict[str, Any]:
    return {"epoch": epoch, "loss": 1.0 / epoch, "seconds": 1800.0, **more}


def test_a_run_tells_its_best_and_its_last_epoch(tmp_path: Path) -> None:
    tested = [{"a.mAP": 0.5, "a.rank1": 0.6}, {"a.mAP": 0.7, "a.rank1": 0.75}, {"a.mAP": 0.6, "a.rank1": 0.8}]
    entry = read_entry(run_folder(tmp_path / "one", [row(i + 1, **found) for i, found in enumerate(tested)]))
    assert entry.metrics == {
        "a.mAP": 0.7,
        "a.rank1": 0.75,
        "a.mAP, last epoch": 0.6,
        "a.rank1, last epoch": 0.8,
    }
    assert entry.facts["best epoch"] == 2
    assert entry.facts["epochs"] == "3 of 3"
    assert entry.facts["hours"] == pytest.approx(1.5)
    assert entry.facts["parameters"] == 10
    assert (entry.facts["model"], entry.facts["device"]) == ("net", "cpu")


def test_best_is_by_the_mean_of_the_run_s_own_metric_over_its_targets(tmp_path: Path) -> None:
    rows = [
        row(1, **{"a.rank1": 0.9, "b.rank1": 0.1, "a.mAP": 0.9}),
        row(2, **{"a.rank1": 0.6, "b.rank1": 0.6, "a.mAP": 0.1}),
    ]
    path = run_folder(tmp_path / "one", rows, train={"epochs": 2, "best_metric": "rank-1"})
    assert read_entry(path).facts["best epoch"] == 2


def test_a_run_that_has_not_begun_has_no_figures(tmp_path: Path) -> None:
    path = run_folder(tmp_path / "one", [])
    (path / "metrics.jsonl").unlink()
    (path / "weights" / "best.safetensors").unlink()
    entry = read_entry(path)
    assert (entry.metrics, entry.facts["epochs"], entry.facts["parameters"]) == ({}, "0 of 3", None)


def test_only_keys_that_differ_are_told_and_never_the_name(tmp_path: Path) -> None:
    one = read_entry(run_folder(tmp_path / "one", [], losses=[{"name": "softmax"}], seed=1))
    other = read_entry(run_folder(tmp_path / "two", [], losses=[{"name": "softmax", "margin": 0.3}], seed=1))
    assert differences([one, other]) == {"losses.0.margin": [None, 0.3]}
    assert differences([one, one]) == {}


def test_an_evaluation_is_read_from_its_json(tmp_path: Path) -> None:
    held = {"mAP": 0.5, "rank1": 0.6, "valid_queries": 9, "metric": "cosine", "ap_rule": "step", "reranked": False}
    file = tmp_path / "result.json"
    file.write_text(json.dumps({"schema": "reidctl.eval/2", "model": "net.onnx", "targets": {"a": held}}))
    entry = read_entry(file)
    assert entry.metrics == {"a.mAP": 0.5, "a.rank1": 0.6}
    assert (entry.facts["model"], entry.facts["distance"], entry.config) == ("net.onnx", "cosine", {})
    run = read_entry(run_folder(tmp_path / "one", []))
    assert differences([entry, run]) == {}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing", None, "no such run, report or file"),
        ("text.json", "hello", "not JSON"),
        ("other.json", '{"schema": "reidctl.bench/1"}', "not what `eval --json` prints"),
        ("list.json", "[1]", "not what `eval --json` prints"),
    ],
)
def test_what_is_no_result_is_refused(tmp_path: Path, name: str, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        read_entry(tmp_path / name)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.yaml", "a: [", "not YAML"),
        ("config.yaml", "- 1", "not the configuration"),
        ("metrics.jsonl", '{"epoch": 1}\n{"ep', "damaged"),
        ("weights/best.safetensors", "nothing", "damaged"),
    ],
)
def test_a_damaged_run_is_refused(tmp_path: Path, file: str, content: str, message: str) -> None:
    path = run_folder(tmp_path / "one", [row(1)])
    (path / file).write_text(content)
    with pytest.raises(InputError, match=message):
        read_entry(path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither a run nor a report"):
        read_entry(tmp_path)
