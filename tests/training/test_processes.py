"""Two processes as one: real ones, that find each other through the variables that torchrun sets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from reidctl.errors import ConfigError
from reidctl.training.checkpoint import load_checkpoint
from reidctl.training.joining import together
from reidctl.training.processes import ALONE, LostError, Processes, connected
from reidctl.training.run_folder import RunFolder
from reidctl.training.trainer import train
from tests.training import joint, stand_ins
from tests.training.joint import start
from tests.training.stand_ins import tiny_config


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What each of two processes made of every job that ends well."""
    folder = tmp_path_factory.mktemp("joint")
    jobs = ("operations", "exact", "steps", "tests", "whole_run")
    for said in start(",".join(jobs), folder):
        assert said.returncode == 0, said.stderr
    found = {job: [torch.load(folder / f"{job}-{rank}.pt") for rank in range(2)] for job in jobs}
    return {**found, "folder": [{"path": folder}]}


@pytest.fixture
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_ins.register(monkeypatch, joint.models, "plain", joint.Plain)


def _furthest(left: dict[str, Any], right: dict[str, Any]) -> float:
    """The largest difference, as a share of the length of all values together."""
    assert left.keys() == right.keys()
    length = torch.stack([value.double().norm() for value in right.values()]).norm()
    return max(float((value - right[name]).abs().max() / length) for name, value in left.items())


def test_shared_norms_and_gathered_embeddings_give_the_gradients_of_one_process(both: Any, tmp_path: Path) -> None:
    alone = joint.exact(ALONE, tmp_path)
    for found in both["exact"]:
        torch.testing.assert_close(found["loss"], alone["loss"], rtol=1e-12, atol=0)
        assert _furthest(found["gradients"], alone["gradients"]) < 1e-14
        assert _furthest(found["buffers"], alone["buffers"]) < 1e-14


@pytest.mark.usefixtures("_plain")
def test_two_processes_with_half_a_batch_each_learn_as_one(both: Any, tmp_path: Path) -> None:
    alone = joint.steps(ALONE, tmp_path)
    for found in both["steps"]:
        for step in range(2):
            torch.testing.assert_close(found[f"values {step}"], alone[f"values {step}"], rtol=1e-5, atol=1e-6)
            assert _furthest(found[f"gradients {step}"], alone[f"gradients {step}"]) < 1e-6
        assert _furthest(found["state"], alone["state"]) < 1e-6
    first, second = both["steps"]
    assert all(torch.equal(value, second["state"][name]) for name, value in first["state"].items())


@pytest.mark.usefixtures("_plain")
def test_a_test_by_two_processes_is_that_of_one(both: Any, tmp_path: Path) -> None:
    alone = joint.tests(ALONE, tmp_path)
    assert both["tests"] == [alone, alone]


def test_a_run_of_two_processes_ends_with_the_same_weights_in_both_and_in_the_folder(both: Any) -> None:
    first, second = both["whole_run"]
    for part in ("state", "kept", "checkpoint"):
        assert all(torch.equal(value, second[part][name]) for name, value in first[part].items())
    folder = RunFolder(both["folder"][0]["path"] / "whole_run" / "tiny")
    last = load_checkpoint(folder.last).state
    assert all(torch.equal(value, second["kept"][name]) for name, value in last.items())
    assert [row["epoch"] for row in folder.rows()] == [1, 2, 3]
    beside = load_checkpoint(folder.last.with_stem("last-peer-1"))
    assert beside.config.model.parameters == {"width": 4}
    assert all(torch.equal(value, second["state"][f"1.{name}"]) for name, value in beside.state.items())


def test_the_operations_are_those_of_their_names(both: Any) -> None:
    first, second = both["operations"]
    assert first["joined"] == second["joined"] == torch.arange(22.0).reshape(11, 2).tolist()
    assert first["mean"] == second["mean"] == [[1.5, 2.5], [0.5]]
    assert first["gradients"] == second["gradients"] == [2.5, None, 0.5]
    assert first["own"] != second["own"]
    assert first["common"] == second["common"]
    assert first["first"] == second["first"] == 0
    assert first["any"] == second["any"] == [[True, False, True]]


@pytest.mark.parametrize(
    ("job", "line", "codes"),
    [
        ("fails_once", "error: an image of mine is bad", {2}),
        pytest.param("fails_everywhere", "error: the configuration is bad", {2}, marks=pytest.mark.slow),
        pytest.param(
            "fails_first", "error: there is a run already\nhint:  take another name", {2}, marks=pytest.mark.slow
        ),
        ("is_killed", "error: another process of the run has ended without a word, or does not answer", {2, -9}),
    ],
)
def test_an_error_ends_all_processes_with_one_line(tmp_path: Path, job: str, line: str, codes: set[int]) -> None:
    said = start(job, tmp_path)
    assert {each.returncode for each in said} == codes
    assert "".join(each.stderr for each in said).count("error:") == 1
    assert line in "".join(each.stderr for each in said)


def test_ctrl_c_in_one_process_stops_all_after_the_same_step_and_the_run_can_go_on(tmp_path: Path) -> None:
    said = start("interrupted", tmp_path)
    assert {each.returncode for each in said} == {130}
    assert "".join(each.stderr for each in said).count("error: interrupted") == 1
    folder = RunFolder(tmp_path / "interrupted" / "tiny")
    assert torch.load(folder.state)["progress"]["step"] == 3
    train(tiny_config(tmp_path / "interrupted"), resume=folder.path)
    assert len(folder.rows()) == 3


def test_shares_are_whole_batches_and_all_of_them() -> None:
    for count in (0, 1, 7, 12, 100):
        for batch in (1, 3, 64):
            for size in (1, 2, 5):
                parts = [Processes(rank, size).part(count, batch) for rank in range(size)]
                assert [i for part in parts for i in range(count)[part]] == list(range(count))
                assert all(part.start % batch == 0 or part.start == count for part in parts)


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    assert Processes(0, 2).share(64, "train.batch_size", 4) == 32
    with pytest.raises(ConfigError, match=r"train.batch_size: 20 .* 2 processes in groups of 4") as caught:
        Processes(1, 2).share(20, "train.batch_size", 4)
    assert caught.value.hint == "take 16"


def test_a_process_on_its_own_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with together() as processes:
        assert processes is ALONE
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with pytest.raises(ConfigError, match="do not find each other: LOCAL_RANK is not"), together():
        pass


def test_several_processes_need_a_gpu_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ConfigError, match="one GPU for 3 processes"):
        Processes(0, 3, 0).device("cuda:1")
    with pytest.raises(ConfigError, match="torch sees 2 GPUs here, fewer"):
        Processes(2, 3, 2).device("auto")
    assert Processes(2, 3, 2).device("cpu") == torch.device("cpu")
    assert Processes(2, 3, 1).device("auto") == torch.device("cuda:1")


def test_a_lack_of_memory_is_not_taken_for_a_lost_process() -> None:
    with pytest.raises(RuntimeError, match="DefaultCPUAllocator"), connected():
        torch.empty(1 << 60, dtype=torch.uint8)
    with pytest.raises(LostError), connected():
        raise RuntimeError("Connection closed by peer")


@pytest.mark.slow
def test_torchrun_trains_as_the_readme_says(tmp_path: Path) -> None:
    people = "{name: synthetic, train_identities: 6, test_identities: 3, cameras: 2, images_per_camera: 3}"
    settings = [
        *("run=run", f"runs={tmp_path}", "device=cpu", "train.compile=false", "train.epochs=1", "train.batch_size=8"),
        *("model={name: fpn_osnet_x0_25, pooling: avg, embedding_dim: 32}", "data.image={height: 64, width: 32}"),
        *(f"data.sources=[{people}]", f"data.targets=[{people}]", "data.images_per_identity=2", "data.workers=0"),
    ]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "reidctl"]
    command += ["train", *(part for setting in settings for part in ("--set", setting))]
    first, again = (subprocess.run(command, capture_output=True, text=True, check=False) for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines() == [str(tmp_path / "run" / "weights" / "best.safetensors")]
    assert first.stderr.count("epoch 1/1") == 1
    assert again.stderr.count("error: ") == 1
    assert f"error: {tmp_path / 'run'}: holds the weights of an earlier run" in again.stderr
