"""What the losses of a run are given, and what they make of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reidctl.config import LossSpec
from reidctl.errors import ConfigError, PluginError
from reidctl.registry import losses
from reidctl.training.objective import Objective
from reidctl.training.run import Run
from reidctl.types import Mixed
from tests.training.stand_ins import register, tiny_config

COUNTS = torch.tensor([3, 2, 4])


class Curious(nn.Module):
    """Asks for everything there is and notes it."""

    def __init__(self, *, embedding_dim: int, num_classes: int, class_counts: Tensor) -> None:
        super().__init__()
        self.built = embedding_dim, num_classes, class_counts
        self.calls: list[dict[str, Any]] = []

    def forward(
        self,
        embeddings: Tensor,
        labels: Tensor,
        *,
        epoch: float,
        model: nn.Module,
        indices: Tensor,
        logits: Tensor,
        cosines: Tensor,
    ) -> Tensor:
        self.calls.append({"epoch": epoch, "model": model, "indices": indices, "logits": logits, "cosines": cosines})
        return logits.square().mean()


class Greedy(nn.Module):
    def __init__(self) -> None:
        super().__init__()

    def forward(self, embeddings: Tensor, labels: Tensor, *, images: Tensor) -> Tensor:
        return images.mean()


@pytest.fixture(autouse=True)
def _parts(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, losses, "curious", Curious)
    register(monkeypatch, losses, "greedy", Greedy)


def objective(*specs: LossSpec) -> Objective:
    torch.manual_seed(0)
    return Objective(specs, embedding_dim=4, class_counts=COUNTS)


def call(found: Objective, embeddings: Tensor, labels: Tensor, mixed: Mixed | None = None, **given: Any) -> Tensor:
    values: Tensor = found(
        embeddings,
        labels,
        mixed or Mixed(embeddings, labels, 1.0),
        **{"epoch": 0.0, "model": nn.Identity(), "indices": [0] * len(labels), **given},
    )
    return values


def test_a_loss_is_given_what_it_asks_for() -> None:
    schedule = {"end": 90.0, "epochs": 10.0}
    specs = LossSpec(name="curious"), LossSpec(name="am_softmax", scale=30.0, scale_schedule=schedule)
    found, model = objective(*specs), nn.Conv2d(3, 4, 1)
    curious, classifier = found
    assert curious.built == (4, 3, COUNTS)
    embeddings, labels = torch.randn(2, 4, requires_grad=True), torch.tensor([0, 2])
    values = call(found, embeddings, labels, epoch=10.0, model=model, indices=[7, 5])
    (given,) = curious.calls
    assert given["epoch"] == 10.0
    assert given["model"] is model
    assert given["indices"].tolist() == [7, 5]
    torch.testing.assert_close(given["logits"], 90 * classifier.cosines(embeddings))
    torch.testing.assert_close(given["cosines"], classifier.cosines(embeddings))
    assert given["logits"].requires_grad
    assert not given["cosines"].requires_grad
    assert values.tolist() == [
        given["logits"].square().mean().item(),
        classifier(embeddings, labels, epoch=10.0).item(),
    ]


def test_the_network_is_no_part_of_the_losses() -> None:
    found = objective(LossSpec(name="filter_norms"), LossSpec(name="am_softmax"))
    call(found, torch.randn(2, 4), torch.tensor([0, 2]), model=nn.Conv2d(3, 4, 1))
    assert list(found.state_dict()) == ["1.classifier.weight"]
    assert [type(module).__name__ for module in found.modules()].count("Conv2d") == 0


def test_mixed_batches_get_both_labels_in_their_shares() -> None:
    found = objective(LossSpec(name="softmax"))
    embeddings, labels = torch.randn(2, 4), torch.tensor([0, 2])
    mixed = Mixed(embeddings, torch.tensor([1, 1]), 0.25)
    expected = 0.25 * found[0](embeddings, labels) + 0.75 * found[0](embeddings, mixed.partners)
    torch.testing.assert_close(call(found, embeddings, labels, mixed)[0], expected)


@pytest.mark.parametrize(("name", "what"), [("local_push", "cosines"), ("metric", "cosines"), ("mixing", "logits")])
def test_a_loss_that_needs_a_classifier_is_refused_without_one(name: str, what: str) -> None:
    with pytest.raises(ConfigError, match=rf"losses\.1: '{name}' needs the {what} of a loss that classifies"):
        objective(LossSpec(name="triplet"), LossSpec(name=name))


def test_a_loss_that_asks_for_what_there_is_not_is_refused() -> None:
    with pytest.raises(PluginError, match="loss 'greedy' asks for 'images'"):
        objective(LossSpec(name="greedy"))


class OfPeers(nn.Module):
    """Asks for the logits of others alone."""

    def __init__(self) -> None:
        super().__init__()

    def forward(self, embeddings: Tensor, labels: Tensor, *, peer_logits: list[Tensor]) -> Tensor:
        return torch.stack([each.mean() for each in peer_logits]).sum()


def test_a_loss_of_peers_logits_needs_a_loss_that_classifies(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, losses, "of_peers", OfPeers)
    specs, options = (LossSpec(name="of_peers"),), {"embedding_dim": 4, "class_counts": COUNTS}
    with pytest.raises(ConfigError, match=r"losses\.0: 'of_peers' needs the logits of a loss that classifies"):
        Objective(specs, **options, others=["train.mutual"])


def test_top_1_is_that_of_the_original() -> None:
    folder = Path(__file__).parents[1] / "parity"
    arrays = np.load(folder / "evaluation.npz")
    logits, labels = torch.from_numpy(arrays["acc_logits"]).float(), torch.from_numpy(arrays["acc_labels"])
    found = Objective((LossSpec(name="softmax"),), embedding_dim=10, class_counts=torch.ones(10, dtype=torch.int64))
    with torch.no_grad():
        found[0].classifier.weight.copy_(torch.eye(10))
    (percent,) = json.loads((folder / "evaluation.json").read_text())["results"]["accuracy_top1"]
    assert 100 * found.top1(logits, labels, epoch=0.0).item() == pytest.approx(percent)


def test_top_1_is_that_of_the_first_classifier_and_nan_without_one() -> None:
    found = objective(LossSpec(name="triplet"), LossSpec(name="softmax"))
    with torch.no_grad():
        found[1].classifier.weight.copy_(torch.eye(4)[:3])
    embeddings, labels = torch.eye(4)[[0, 1, 2, 2]], torch.tensor([0, 1, 2, 0])
    assert found.top1(embeddings, labels, epoch=0.0).item() == 0.75
    assert objective(LossSpec(name="triplet")).top1(embeddings, labels, epoch=0.0).isnan()


class Warming(nn.Module):
    """A classifier whose logits turn with the epoch: the class of embedding k is k + epoch."""

    def __init__(self) -> None:
        super().__init__()

    def logits(self, embeddings: Tensor, *, epoch: float) -> Tensor:
        return embeddings.roll(int(epoch), dims=1)

    def forward(self, embeddings: Tensor, labels: Tensor, *, epoch: float) -> Tensor:
        return nn.functional.cross_entropy(self.logits(embeddings, epoch=epoch), labels)


def test_logits_may_ask_for_the_epoch(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, losses, "warming", Warming)
    found, embeddings = objective(LossSpec(name="warming")), torch.eye(4)
    assert found.top1(embeddings, torch.tensor([2, 3, 0, 0]), epoch=2.0).item() == 0.75
    run = Run(tiny_config(runs, losses=(LossSpec(name="warming"), LossSpec(name="mixing"))))
    assert run.step([next(run.batches.epoch(0))], 1, 0, 3, 0.001).isfinite().all()


@pytest.mark.parametrize("others", [(), ("mixing",)])
def test_logits_that_fail_name_their_package(others: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, losses, "warming", Warming)
    monkeypatch.setattr(Warming, "logits", lambda self, embeddings: embeddings / object())
    found, embeddings = objective(*(LossSpec(name=name) for name in ("warming", *others))), torch.eye(4)
    labels = torch.arange(4)
    with pytest.raises(PluginError, match=r"loss 'warming' from .*failed: TypeError"):
        call(found, embeddings, labels) if others else found.top1(embeddings, labels, epoch=0.0)


def test_a_run_tells_its_losses_the_epoch_the_images_and_the_network(runs: Path) -> None:
    run = Run(tiny_config(runs, losses=(LossSpec(name="softmax"), LossSpec(name="curious", weight=0.0))))
    assert run.losses[1].built[2].tolist() == [6] * 6
    batch = next(run.batches.epoch(1))
    run.step([batch], 1, 3, 4, 0.001)
    (given,) = run.losses[1].calls
    assert given["epoch"] == 1.75
    assert given["model"] is run.model
    assert given["indices"].tolist() == batch.indices


def test_every_kind_of_loss_learns_together(runs: Path) -> None:
    specs = (
        LossSpec(name="am_softmax", adaptive_margins=True, class_weighting=True),
        LossSpec(name="metric", weight=0.5),
        LossSpec(name="circle", weight=0.1),
        LossSpec(name="mixing"),
        LossSpec(name="filter_orthogonality", weight=0.01),
        LossSpec(name="filter_correlation", max_cosine=0.1),
    )
    run = Run(tiny_config(runs, losses=specs, train_precision="bf16", data_batch_transforms=({"name": "mixup"},)))
    before = {name: value.clone() for name, value in run.losses.named_parameters()}
    values = run.step([next(run.batches.epoch(0))], 0, 0, 3, 0.001)
    assert len(values) == 1 + len(specs) + 1
    assert values.isfinite().all()
    assert all(not torch.equal(value, before[name]) for name, value in run.losses.named_parameters())
