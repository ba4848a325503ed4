"""What the tests of several processes let each of them do: `python -m tests.training.joint JOB FOLDER`."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reidctl.config import LossSpec, RunConfig
from reidctl.errors import InputError
from reidctl.registry import models
from reidctl.training import trainer
from reidctl.training.joining import together
from reidctl.training.norms import SharedNorms
from reidctl.training.processes import Processes
from reidctl.training.run import Run
from reidctl.training.validation import validate
from reidctl.types import Spec
from tests.training import stand_ins
from tests.training.stand_ins import tiny_config

ROOT = Path(__file__).parents[2]


class Plain(nn.Module):
    """A network with both kinds of batch norms and nothing random."""

    def __init__(self, *, image_size: tuple[int, int]) -> None:
        super().__init__()
        self.embedding_dim = 6
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 5, stride=4, padding=2), nn.BatchNorm2d(8), nn.PReLU(8))
        self.body = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.fc = nn.Sequential(nn.Linear(8, 6), nn.BatchNorm1d(6))

    def feature_maps(self, images: Tensor) -> Tensor:
        maps: Tensor = self.body(self.stem(images))
        return maps

    def forward(self, images: Tensor) -> Tensor:
        embeddings: Tensor = self.fc(self.feature_maps(images).mean((2, 3)))
        return embeddings


def register_parts() -> None:
    patch = pytest.MonkeyPatch()
    for registry, name, part in [*stand_ins.PARTS, (models, "plain", Plain)]:
        stand_ins.register(patch, registry, name, part)


def plain_config(folder: Path, **changes: Any) -> RunConfig:
    """Losses of class weights, of pairs and of the network's weights; batches of 64, whose norms are shared."""
    return tiny_config(
        folder,
        **{
            "model": Spec(name="plain"),
            "losses": (
                LossSpec(name="am_softmax", margin=0.2, scale=8.0),
                LossSpec(name="cosine_triplet", weight=0.7),
                LossSpec(name="filter_norms", weight=0.3),
            ),
            "data_sources": (Spec(name="patches", identities=48),),
            "data_targets": (Spec(name="patches"),),
            "train_batch_size": 64,
            "train_compile": False,
            "train_optimizer": "sgd",
            "train_sync_norms": True,
            **changes,
        },
    )


def state_of(run: Run) -> dict[str, Tensor]:
    return {**run.networks.state_dict(), **run.losses.state_dict(prefix="losses.")}


def steps(processes: Processes, folder: Path) -> dict[str, Any]:
    """Two steps, of which the second depends on all that the first has left behind."""
    run = Run(plain_config(folder), processes=processes)
    found: dict[str, Any] = {}
    for step, batch in zip(range(2), run.batches.epoch(0), strict=False):
        found[f"values {step}"] = run.step([batch], 0, step, run.steps(0), 0.01)
        found[f"gradients {step}"] = {
            f"{index}.{name}": parameter.grad
            for index, module in enumerate((run.networks, run.losses))
            for name, parameter in module.named_parameters()
        }
    return {**found, "state": state_of(run)}


def exact(processes: Processes, folder: Path) -> dict[str, Any]:
    """One step in float64 of a network with norms, in channels-last memory, whose loss compares all rows."""
    torch.manual_seed(0)
    network = Plain(image_size=(16, 8)).double()
    images = torch.randn(8, 3, 16, 8, dtype=torch.float64).to(memory_format=torch.channels_last)
    with SharedNorms(processes) if processes.size > 1 else nullcontext():
        rows = network(images.chunk(processes.size)[processes.rank])
    embeddings = processes.gather(rows)
    loss = (embeddings @ embeddings.T).tanh().sum() + embeddings.cumsum(dim=0).square().mean()
    loss.backward()
    processes.average_step(network.parameters(), network.buffers())
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    return {"loss": loss.detach(), "gradients": gradients, "buffers": dict(network.named_buffers())}


def tests(processes: Processes, folder: Path) -> dict[str, Any]:
    """A test of a network whose images do not divide evenly, in batches of 3."""
    config = plain_config(folder, eval_batch_size=3, eval_flip=True)
    run = Run(config, processes=processes)
    metrics = validate(run.model, run.targets, config, run.device, processes)
    return {"metrics": {name: found.as_dict() for name, found in metrics.items()}}


def whole_run(processes: Processes, folder: Path) -> dict[str, Any]:
    """A run from the start to its end, with dropout, mixed images, two networks and a moving average."""
    kept: list[Run] = []
    train, trainer._train = trainer._train, lambda run, *rest: (kept.append(run), train(run, *rest))[1]
    config = tiny_config(
        folder,
        train_mutual=(Spec(name="tiny", width=4),),
        losses=(LossSpec(name="linear"), LossSpec(name="mutual_similarities")),
        data_batch_transforms=(Spec(name="mixup", alpha=1.0),),
        train_ema_decay=0.9,
    )
    checkpoint = trainer.train(config)
    return {"state": state_of(kept[0]), "kept": kept[0].kept.state_dict(), "checkpoint": checkpoint.state}


def operations(processes: Processes, folder: Path) -> dict[str, Any]:
    """The small parts by themselves."""
    rank = processes.rank
    rows = np.arange(22, dtype=np.float32).reshape(11, 2)
    mean = torch.tensor([1.0 + rank, 5.0 * rank]), torch.tensor([rank], dtype=torch.float64)
    processes.average(mean)
    used, unused, once = (nn.Parameter(torch.zeros(1)) for _ in range(3))
    used.grad = torch.full((1,), 2.0 + rank)
    once.grad = torch.ones(1) if rank else None
    processes.average_step([used, unused, once], [])
    torch.manual_seed(7)
    with processes.own_draws():
        own = torch.rand(()).item()
    return {
        "joined": processes.joined(rows[processes.part(11, 3)], 11, 3).tolist(),
        "mean": [each.tolist() for each in mean],
        "gradients": [None if each.grad is None else each.grad.item() for each in (used, unused, once)],
        "own": own,
        "common": torch.rand(()).item(),
        "first": processes.on_first(lambda: rank),
        "any": [processes.any(rank == 1, False, True)],
    }


def interrupted(processes: Processes, folder: Path) -> dict[str, Any]:
    """Ctrl-C in the second process alone, at its third step."""

    steps_of = Run.step

    def step(run: Run, *rest: Any) -> Tensor:
        if processes.rank == 1 and rest[2] == 2:
            signal.raise_signal(signal.SIGINT)
        return steps_of(run, *rest)

    Run.step = step  # type: ignore[method-assign]
    trainer.train(tiny_config(folder))
    return {}


def fails_once(processes: Processes, folder: Path) -> dict[str, Any]:
    if processes.rank == 1:
        raise InputError("an image of mine is bad")
    processes.gather(torch.zeros(1))
    return {}


def fails_everywhere(processes: Processes, folder: Path) -> dict[str, Any]:
    raise InputError("the configuration is bad")


def fails_first(processes: Processes, folder: Path) -> dict[str, Any]:
    def refuse() -> None:
        raise InputError("there is a run already", "take another name")

    processes.on_first(refuse)
    return {}


def is_killed(processes: Processes, folder: Path) -> dict[str, Any]:
    if processes.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    processes.gather(torch.zeros(1))
    return {}


JOBS: dict[str, Callable[[Processes, Path], dict[str, Any]]] = {
    job.__name__: job
    for job in (
        exact,
        steps,
        tests,
        whole_run,
        operations,
        interrupted,
        fails_once,
        fails_everywhere,
        fails_first,
        is_killed,
    )
}


def start(jobs: str, folder: Path, size: int = 2) -> list[subprocess.CompletedProcess[str]]:
    """Let `size` processes do `jobs`, as torchrun would start them; what each said."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"WORLD_SIZE": size, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": 1}
    command = [sys.executable, "-m", "tests.training.joint", jobs, str(folder)]
    started = [
        subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **{k: str(v) for k, v in common.items()}, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]
    said = [process.communicate(timeout=100) for process in started]
    return [
        subprocess.CompletedProcess(command, process.returncode, *each)
        for process, each in zip(started, said, strict=True)
    ]


def main(jobs: str, folder: str) -> None:
    from reidctl.cli.boundary import guarded

    torch.set_num_threads(1)
    register_parts()

    def run() -> None:
        with together() as processes:
            for job in jobs.split(","):
                torch.save(JOBS[job](processes, Path(folder) / job), Path(folder) / f"{job}-{processes.rank}.pt")

    sys.exit(guarded(run))


if __name__ == "__main__":
    main(*sys.argv[1:])
