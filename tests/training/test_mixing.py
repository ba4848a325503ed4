"""Batches of mixed images in a training step."""

from __future__ import annotations

from math import log
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from reidctl.config import LossSpec, RunConfig
from reidctl.errors import ConfigError, PluginError
from reidctl.registry import batch_transforms
from reidctl.training.mixing import BatchTransform, Mixer, shared
from reidctl.training.run import Run
from reidctl.training.run_folder import RunFolder
from reidctl.training.trainer import train
from reidctl.types import Mixed, Spec
from tests.training.stand_ins import register, tiny_config


class Reversed:
    """Pairs the images of a batch from both ends; a quarter of each is its partner."""

    def __call__(self, images: Tensor, labels: Tensor) -> Mixed:
        return Mixed(0.75 * images + 0.25 * images.flip(0), labels.flip(0), 0.75)


class Broken:
    def __call__(self, images: Tensor, labels: Tensor) -> Mixed:
        raise ZeroDivisionError("three")


@pytest.fixture(autouse=True)
def _parts(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, batch_transforms, "reversed", Reversed)
    register(monkeypatch, batch_transforms, "broken", Broken)


def mixed_config(runs: Path, *names: str, **changes: Any) -> RunConfig:
    return tiny_config(runs, data_batch_transforms=tuple(Spec(name=name) for name in names), **changes)


def test_the_losses_of_both_labels_are_added_in_their_shares() -> None:
    # Of the logits (0, ln 3) the softmax is (1/4, 3/4), of (ln 3, 0) it is (3/4, 1/4).
    logits = torch.tensor([[1.0, 3.0], [3.0, 1.0]]).log()
    mixed = Mixed(torch.empty(0), torch.tensor([1, 1]), 0.25)
    found = shared(functional.cross_entropy, logits, torch.tensor([0, 1]), mixed)
    # Labels (0, 1): ln 4 and ln 4; partners (1, 1): ln 4/3 and ln 4.
    assert found.item() == pytest.approx(0.25 * log(4) + 0.75 * (log(4 / 3) + log(4)) / 2)
    soft = torch.tensor([[0.25, 0.75], [0.0, 1.0]])
    assert found.item() == pytest.approx(functional.cross_entropy(logits, soft).item()), "the loss of the soft labels"


def test_a_batch_that_is_not_mixed_costs_one_loss() -> None:
    calls = []

    def measure(embeddings: Tensor, labels: Tensor) -> Tensor:
        calls.append(labels)
        return embeddings.sum()

    labels = torch.tensor([1, 2])
    assert shared(measure, torch.ones(2), labels, Mixed(torch.ones(2), labels, 1.0)).item() == 2
    assert len(calls) == 1


def test_a_step_learns_from_the_mixed_images_and_both_labels(runs: Path) -> None:
    losses = (LossSpec(name="linear"), LossSpec(name="norms", weight=0.5))
    run, plain = (Run(mixed_config(runs, *names, losses=losses)) for names in (("reversed",), ()))
    batch = next(run.batches.epoch(0))
    model, linear = run.model.eval(), run.losses[0]
    with torch.no_grad():
        images = plain._mix(_normalized(run, batch.images), batch.labels).images
        embeddings = model(0.75 * images + 0.25 * images.flip(0))
        logits = linear.logits(embeddings)
        own, other = (functional.cross_entropy(logits, labels) for labels in (batch.labels, batch.labels.flip(0)))
        guesses = logits.argmax(dim=1)
        right = [(guesses == labels).float().mean() for labels in (batch.labels, batch.labels.flip(0))]
    total, classified, norm, top1 = run.step([batch], 0, 0, 3, 0.001).tolist()
    assert classified == pytest.approx((0.75 * own + 0.25 * other).item(), rel=1e-5)
    assert norm == pytest.approx(embeddings.square().mean().item(), rel=1e-5)
    assert total == pytest.approx(classified + 0.5 * norm, rel=1e-5)
    assert top1 == pytest.approx((0.75 * right[0] + 0.25 * right[1]).item())


def _normalized(run: Run, images: Tensor) -> Tensor:
    spec = run.config.data.image
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (spec.mean, spec.std))
    return (images / 255 - mean) / std


def _weights(runs: Path, *names: str, **changes: Any) -> str:
    train(mixed_config(runs, *names, **changes), exist_ok=True)
    state = torch.load(RunFolder(runs / "tiny").state, weights_only=True)
    return str({name: value.double().sum().item() for name, value in state["model"].items()})


def test_a_run_is_the_same_each_time_and_each_of_its_steps_mixes_anew(runs: Path) -> None:
    both = _weights(runs, "mixup", "cutmix", train_epochs=2)
    assert _weights(runs, "mixup", "cutmix", train_epochs=2) == both
    assert _weights(runs, "mixup", "cutmix", train_epochs=2, data_workers=1) == both
    assert _weights(runs, "mixup", train_epochs=2) != both
    assert _weights(runs, train_epochs=2) != both


def test_each_batch_transform_comes_equally_often(monkeypatch: pytest.MonkeyPatch) -> None:
    def keep(share: float) -> BatchTransform:
        return lambda images, labels: Mixed(images, labels, share)

    register(monkeypatch, batch_transforms, "keep", keep)
    mixer = Mixer([Spec(name="keep", share=0.1), Spec(name="keep", share=0.2)])
    torch.manual_seed(0)
    shares = [mixer(torch.zeros(1), torch.zeros(1)).share for _ in range(400)]
    assert 160 < shares.count(0.1) < 240
    assert shares.count(0.1) + shares.count(0.2) == 400


def test_without_batch_transforms_nothing_is_drawn() -> None:
    state = torch.get_rng_state()
    images, labels = torch.zeros(2, 3, 4, 4), torch.tensor([0, 1])
    assert Mixer([])(images, labels).images is images
    assert torch.equal(torch.get_rng_state(), state)


def test_a_batch_transform_that_fails_is_named(runs: Path) -> None:
    with pytest.raises(PluginError, match=r"batch_transform 'broken' from .* failed: ZeroDivisionError: three"):
        train(mixed_config(runs, "broken"))


def test_a_parameter_out_of_range_is_refused_with_its_key() -> None:
    with pytest.raises(ConfigError, match=r"data\.batch_transforms\.0\.alpha"):
        Mixer([Spec(name="mixup", alpha=0.0)])
