"""A data set, a network, a loss and an augmentation small enough to train in a moment, registered for a test."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from reidctl.config import LossSpec, RunConfig
from reidctl.config.evaluation import EvalConfig
from reidctl.config.schema import DataConfig, TrainConfig
from reidctl.registry import API_VERSION, Entry, Registry, datasets, losses, models, transforms
from reidctl.types import ImageSpec, ReidData, Sample, Spec


@dataclass(frozen=True)
class Patch:
    """A noisy picture of one colour per identity."""

    identity: int
    camera: int
    index: int

    def __call__(self) -> Image.Image:
        colour = np.random.default_rng(self.identity).integers(0, 200, 3)
        noise = np.random.default_rng((self.identity, self.camera, self.index)).integers(0, 56, (24, 12, 3))
        return Image.fromarray((colour + noise).astype(np.uint8))


def patches(identities: int = 6, images: int = 3, *, root: Path) -> ReidData:
    def shots(first: int, count: int, indices: range) -> tuple[Sample, ...]:
        return tuple(
            Sample(Patch(first + i, camera, index), f"{first + i}_c{camera}_{index}", i, camera)
            for i in range(count)
            for camera in range(2)
            for index in indices
        )

    return ReidData("patches", shots(0, identities, range(images)), shots(100, 4, range(1)), shots(100, 4, range(1, 3)))


class Tiny(nn.Module):
    def __init__(self, width: int = 8, *, image_size: tuple[int, int]) -> None:
        super().__init__()
        self.embedding_dim = 6
        self.stem = nn.Sequential(nn.Conv2d(3, width, 5, stride=4, padding=2), nn.BatchNorm2d(width), nn.ReLU())
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(width, self.embedding_dim)

    def feature_maps(self, images: Tensor) -> Tensor:
        maps: Tensor = self.stem(images)
        return maps

    def forward(self, images: Tensor) -> Tensor:
        embeddings: Tensor = self.fc(self.dropout(self.feature_maps(images).mean((2, 3))))
        return embeddings


class Linear(nn.Module):
    """Cross entropy of a linear classifier; `explode` makes it infinite for a class, -1 for none."""

    def __init__(self, explode: int = -1, *, embedding_dim: int, num_classes: int) -> None:
        super().__init__()
        self.explode = explode
        self.classifier = nn.Linear(embedding_dim, num_classes)

    def logits(self, embeddings: Tensor) -> Tensor:
        found: Tensor = self.classifier(embeddings)
        return found

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        loss = nn.functional.cross_entropy(self.logits(embeddings), labels)
        return loss / 0 if self.explode in labels else loss


class Norms(nn.Module):
    """The mean squared norm; it classifies nothing."""

    def __init__(self) -> None:
        super().__init__()

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return embeddings.square().mean()


@dataclass(frozen=True)
class Shrink:
    """Stands for `resize`."""

    _: dataclasses.KW_ONLY
    image_size: tuple[int, int]

    def __call__(self, image: Image.Image) -> Image.Image:
        return image.resize(self.image_size[::-1])


@dataclass(frozen=True)
class Speckle:
    """Adds the next random number of torch's generator to every pixel."""

    _: dataclasses.KW_ONLY
    image_size: tuple[int, int]

    def __call__(self, image: Image.Image) -> Image.Image:
        shift = int(torch.randint(0, 50, ()))
        return image.point(lambda value: value + shift)


PARTS: tuple[tuple[Registry, str, Callable[..., Any]], ...] = (
    (datasets, "patches", patches),
    (models, "tiny", Tiny),
    (losses, "linear", Linear),
    (losses, "norms", Norms),
    (transforms, "resize", Shrink),
    (transforms, "speckle", Speckle),
)


def register(monkeypatch: pytest.MonkeyPatch, registry: Registry, name: str, part: Callable[..., Any]) -> None:
    """Offer `part` as `name` while the test runs, in the place of any other part of that name."""
    point: Any = SimpleNamespace(load=lambda: part)
    entry = Entry(registry.kind, name, "stand-ins", "1", "stand_ins", API_VERSION, point)
    others = tuple(other for other in registry.entries if other.name != name)
    monkeypatch.setitem(registry.__dict__, "entries", (*others, entry))


def tiny_config(runs: Path, **changes: Any) -> RunConfig:
    """Three epochs of three steps; a change is named by its section (`train_epochs`) or, at the top, by itself."""
    sections: dict[str, dict[str, Any]] = {"data": {}, "train": {}, "eval": {}}
    top: dict[str, Any] = {}
    for key, value in changes.items():
        section, _, name = key.partition("_")
        sections.get(section, top)[name if section in sections else key] = value
    data = {
        "root": runs,
        "sources": (Spec(name="patches"),),
        "targets": (Spec(name="patches"),),
        "image": ImageSpec(height=32, width=16),
        "transforms": (Spec(name="resize"), Spec(name="speckle")),
        "images_per_identity": 2,
        "workers": 0,
        **sections["data"],
    }
    # Numbers are compared, and should be those of f32 on a machine with bf16, too.
    training = {"epochs": 3, "batch_size": 8, "lr": 0.01, "eval_every": 1, "precision": "f32", **sections["train"]}
    values: dict[str, Any] = {
        "runs": runs,
        "run": "tiny",
        "device": "cpu",
        "model": Spec(name="tiny"),
        "losses": (LossSpec(name="linear"),),
        "data": DataConfig(**data),
        "train": TrainConfig(**training),
        "eval": EvalConfig(**sections["eval"]),
        **top,
    }
    return RunConfig(**values)
