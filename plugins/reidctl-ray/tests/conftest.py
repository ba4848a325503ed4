"""A local cluster of two worker processes, and drawn people in files."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SIZE = (128, 64)
PEOPLE, CAMERAS, SHOTS = 8, 3, 6


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """Ray with two cores, each for one worker process."""
    import ray

    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root in the layout of Market-1501: of each person one query a camera, the rest in the gallery."""
    root = tmp_path_factory.mktemp("root")
    base = root / "market1501" / "Market-1501-v15.09.15"
    random = np.random.default_rng(0)
    for folder in ("bounding_box_train", "query", "bounding_box_test"):
        (base / folder).mkdir(parents=True)
    for person in range(1, PEOPLE + 1):
        shirt = random.integers(0, 256, (1, 1, 3))
        for camera in range(1, CAMERAS + 1):
            for shot in range(SHOTS):
                folder = "query" if shot == 0 else "bounding_box_test"
                picture = np.clip(shirt + random.normal(0, 60, (*SIZE, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(picture).save(base / folder / f"{person:04d}_c{camera}s1_{shot:06d}_00.jpg")
    shutil.copytree(base / "query", base / "bounding_box_train", dirs_exist_ok=True)
    return root


@pytest.fixture(scope="session")
def images(market: Path) -> Path:
    """A list of the gallery's images."""
    listing = market / "list.txt"
    files = sorted((market / "market1501").rglob("bounding_box_test/*.jpg"))
    listing.write_text("".join(f"{file}\n" for file in files))
    return listing


Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def reidctl() -> Cli:
    """The command, in a process of its own."""

    def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
        line = [sys.executable, "-m", "reidctl", *map(str, arguments)]
        return subprocess.run(line, capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="session")
def kill_worker() -> Callable[[str], int | None]:
    """Kill a worker process of this cluster that works for the actor named; its number, None where there is none."""

    def kill(actor: str) -> int | None:
        workers = [pid for pid in descendants(os.getpid()) if actor.encode() in command_of(pid)]
        if workers:
            os.kill(workers[0], signal.SIGKILL)
        return workers[0] if workers else None

    return kill


def descendants(pid: int) -> list[int]:
    """Processes that this one started, and those that they started."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found, seen = [], {pid}
    while grown := [child for child, parent in parents.items() if parent in seen and child not in seen]:
        seen |= set(grown)
        found += grown
    return found


def command_of(pid: int) -> bytes:
    """What a process calls itself."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
