"""A package made by hand is installed, trained with by name, and gone again when it is uninstalled."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.environments import fresh_environment

PYPROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "0.3"

[project.entry-points."reidctl.api"]
version = "v1"

[project.entry-points."reidctl.models"]
{module}_net = "{module}:Net"

[project.entry-points."reidctl.datasets"]
{module}_people = "{module}:people"

[project.entry-points."reidctl.losses"]
{module}_spread = "{module}:Spread"

[tool.hatch.build.targets.wheel]
only-include = ["{module}.py"]
"""

MODULE = '''
"""One model, one data set, one loss."""
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
from annotated_types import Ge, Gt
from PIL import Image
from reidctl.types import ReidData, Sample
from torch import Tensor, nn


class Net(nn.Module):
    """The mean colour, mixed."""

    def __init__(self, embedding_dim: Annotated[int, Ge(1)] = 4, *, image_size: tuple[int, int]) -> None:
        super().__init__()
        self.embedding_dim = embedding_dim
        self.mix = nn.Conv2d(3, embedding_dim, 1)

    def feature_maps(self, images: Tensor) -> Tensor:
        return self.mix(images)

    def forward(self, images: Tensor) -> Tensor:
        return self.feature_maps(images).mean(dim=(2, 3))


@dataclass(frozen=True)
class Plain:
    """One colour per identity, a little darker in every other camera."""

    identity: int
    camera: int

    def __call__(self) -> Image.Image:
        level = 250 - 20 * self.camera
        return Image.new("RGB", (32, 64), (level, self.identity * 25, 255 - self.identity * 25))


def people(identities: Annotated[int, Ge(2)] = 8, *, root: Path) -> ReidData:
    """Coloured rectangles."""

    def shots(cameras: tuple[int, ...], copies: int) -> tuple[Sample, ...]:
        return tuple(
            Sample(Plain(i, c), f"{i}_{c}_{n}", i, c) for i in range(identities) for c in cameras for n in range(copies)
        )

    return ReidData("people", shots((0, 1), 4), shots((0,), 1), shots((1,), 1))


class Spread(nn.Module):
    """Distance to the class centre."""

    def __init__(self, scale: Annotated[float, Gt(0)] = 1.0, *, embedding_dim: int, num_classes: int) -> None:
        super().__init__()
        self.scale = scale
        self.centers = nn.Parameter(torch.zeros(num_classes, embedding_dim))

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return self.scale * (embeddings - self.centers[labels]).square().mean()
'''

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment that sees this one's packages, so that nothing is left behind in this one."""
    return fresh_environment(tmp_path_factory.mktemp("environment"))


def _pip(python: Path, *arguments: str | Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", *arguments],
        capture_output=True,
        check=True,
    )


def _reidctl(python: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "-m", "reidctl", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def _package(folder: Path, name: str, source: str) -> Path:
    module = name.replace("-", "_")
    folder = folder / name
    folder.mkdir()
    (folder / "pyproject.toml").write_text(PYPROJECT.format(name=name, module=module))
    (folder / f"{module}.py").write_text(textwrap.dedent(source))
    return folder


CONFIG = """
model: {name: acme_reid_net, embedding_dim: 6}
losses: [{name: acme_reid_spread, scale: 2.0}]
data:
  sources: [{name: acme_reid_people, identities: 6}]
  targets: [acme_reid_people]
  allow_leakage: true  # its rectangles are the same in train and test
  image: {height: 64, width: 32}
  workers: 0
train: {epochs: 1, batch_size: 8, lr: 0.01}
"""


def test_a_package_is_used_by_name_and_gone_when_uninstalled(python: Path, tmp_path: Path) -> None:
    good = _package(tmp_path, "acme-reid", MODULE)
    broken = _package(tmp_path, "acme-broken", "import no_such_library\n")
    (tmp_path / "run.yaml").write_text(CONFIG)
    _pip(python, "install", "--no-deps", "--no-build-isolation", "--no-index", good, broken)

    listed = json.loads(_reidctl(python, tmp_path, "plugins", "list", "--json").stdout)["plugins"]
    assert {(row["name"], row["package"], row["version"]) for row in listed if row["package"] == "acme-reid"} == {
        ("acme_reid_net", "acme-reid", "0.3"),
        ("acme_reid_people", "acme-reid", "0.3"),
        ("acme_reid_spread", "acme-reid", "0.3"),
    }

    trained = _reidctl(python, tmp_path, "train", "-c", "run.yaml", "--run", "acme")
    assert trained.returncode == 0, trained.stderr
    assert (tmp_path / "runs" / "acme" / "weights" / "best.safetensors").is_file()
    assert "broken" not in trained.stderr

    asked = _reidctl(python, tmp_path, "losses", "info", "acme_broken_spread")
    assert asked.returncode == 3
    first, *rest = asked.stderr.splitlines()
    assert first == (
        "error: loss 'acme_broken_spread' from acme-broken 0.3 (acme_broken:Spread) does not import: "
        "ModuleNotFoundError: No module named 'no_such_library'"
    )
    assert [line.split(":")[0] for line in rest] == ["hint"]

    _pip(python, "uninstall", "--yes", "acme-reid", "acme-broken")
    listed = json.loads(_reidctl(python, tmp_path, "plugins", "list", "--json").stdout)["plugins"]
    assert [row for row in listed if row["package"].startswith("acme")] == []
    again = _reidctl(python, tmp_path, "train", "-c", "run.yaml", "--run", "again")
    assert again.returncode == 2
    assert "run.yaml:2:15: model.name: no model named 'acme_reid_net'" in again.stderr
