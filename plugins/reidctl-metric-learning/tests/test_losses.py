"""What the losses compute, and that it is trained with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_metric_learning import losses, miners
from torch import Tensor

from reidctl.testing import check_loss
from reidctl.types import Spec
from reidctl_metric_learning.family import pml_losses
from reidctl_metric_learning.loss import ClassifyingLoss, MetricLearningLoss
from reidctl_metric_learning.signatures import GIVEN, library_parameters
from reidctl_metric_learning.suited import WITHOUT_MINER, offered

REQUIRED: dict[str, dict[str, float]] = {"RankedListLoss": {"margin": 0.4, "Tn": 10.0}}
RANDOM_MINERS = {"DistanceWeightedMiner", "UniformHistogramMiner"}
MINERS = sorted(set(offered(miners)) - RANDOM_MINERS)
LABELS = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2])


def _built(name: str, **parameters: Any) -> MetricLearningLoss:
    """The loss with eight-dimensional embeddings and four classes, as reidctl builds it."""
    torch.manual_seed(0)
    taken = library_parameters(offered(losses)[name])
    given = {given: number for own, given, number in zip(GIVEN, GIVEN.values(), (8, 4), strict=True) if own in taken}
    return pml_losses(name)(**REQUIRED.get(name, {}), **parameters, **given)


def _theirs(name: str, **parameters: Any) -> torch.nn.Module:
    torch.manual_seed(0)
    target = offered(losses)[name]
    given = {own: number for own, number in zip(GIVEN, (8, 4), strict=True) if own in library_parameters(target)}
    made: torch.nn.Module = target(**REQUIRED.get(name, {}), **parameters, **given)
    return made


def _embeddings(seed: int = 1) -> Tensor:
    return torch.randn(len(LABELS), 8, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", pml_losses.names())
def test_every_loss_keeps_the_contract(name: str) -> None:
    check_loss(_built(name))


@pytest.mark.parametrize("name", pml_losses.names())
def test_a_loss_is_what_the_library_computes(name: str) -> None:
    ours, theirs = _built(name), _theirs(name)
    assert torch.equal(ours(_embeddings(), LABELS), theirs(_embeddings(), LABELS))


@pytest.mark.parametrize("miner", MINERS)
@pytest.mark.parametrize("name", ["TripletMarginLoss", "ContrastiveLoss", "ArcFaceLoss"])
def test_a_loss_behind_a_miner_keeps_the_contract(name: str, miner: str) -> None:
    check_loss(_built(name, miner=Spec(name=miner)))


@pytest.mark.parametrize("name", sorted(set(pml_losses.names()) - WITHOUT_MINER))
def test_every_other_loss_takes_a_miner(name: str) -> None:
    ours = _built(name, miner=Spec(name="BatchHardMiner"))
    mined = miners.BatchHardMiner()(_embeddings(), LABELS)
    assert torch.equal(ours(_embeddings(), LABELS), _theirs(name)(_embeddings(), LABELS, mined))


@pytest.mark.parametrize("miner", sorted(RANDOM_MINERS))
def test_a_miner_that_draws_does_so_by_torch_whose_seed_the_run_sets(miner: str) -> None:
    loss = _built("TripletMarginLoss", miner=Spec(name=miner), triplets_per_anchor=2)
    found = []
    for seed in (3, 3):
        torch.manual_seed(seed)
        found.append(loss(_embeddings(), LABELS))
    assert torch.equal(*found)


def test_the_hardest_triplets_are_those_of_a_slow_loop() -> None:
    loss = _built("TripletMarginLoss", margin=0.3, miner=Spec(name="BatchHardMiner"))
    points = torch.nn.functional.normalize(_embeddings()).tolist()
    labels = LABELS.tolist()

    def apart(i: int, j: int) -> float:
        return float(sum((a - b) ** 2 for a, b in zip(points[i], points[j], strict=True)) ** 0.5)

    violated = []
    for anchor in range(len(labels)):
        positives = [apart(anchor, i) for i in range(len(labels)) if i != anchor and labels[i] == labels[anchor]]
        negatives = [apart(anchor, i) for i in range(len(labels)) if labels[i] != labels[anchor]]
        violated.append(max(0.0, max(positives) - min(negatives) + 0.3))
    # The library's mean is over the triplets that cost something.
    expected = sum(violated) / sum(value > 0 for value in violated)
    assert loss(_embeddings(), LABELS).item() == pytest.approx(expected, rel=1e-5)


def test_contrastive_loss_by_hand() -> None:
    # Unit vectors at 0 and 90 degrees are sqrt(2) apart: one positive pair costs that, no negative pair any.
    embeddings = torch.tensor([[2.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    loss = pml_losses("ContrastiveLoss")()
    assert loss(embeddings, torch.tensor([0, 0, 1])).item() == pytest.approx(2**0.5)


def test_a_distance_takes_the_place_of_the_losss_own() -> None:
    # Squared distances: 2 instead of sqrt(2).
    embeddings = torch.tensor([[2.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    loss = pml_losses("ContrastiveLoss")(distance=Spec(name="LpDistance", power=2.0))
    assert loss(embeddings, torch.tensor([0, 0, 1])).item() == pytest.approx(2.0)


CLASSIFIERS = {
    "ArcFaceLoss",
    "CosFaceLoss",
    "LargeMarginSoftmaxLoss",
    "NormalizedSoftmaxLoss",
    "ProxyAnchorLoss",
    "ProxyNCALoss",
    "SoftTripleLoss",
    "SphereFaceLoss",
    "SubCenterArcFaceLoss",
}
SEVERAL_CENTERS = {"SoftTripleLoss", "SubCenterArcFaceLoss"}


def test_the_classifiers_are_these() -> None:
    assert {name for name in pml_losses.names() if isinstance(_built(name), ClassifyingLoss)} == CLASSIFIERS


@pytest.mark.parametrize("name", sorted(CLASSIFIERS))
def test_class_weights_learn(name: str) -> None:
    loss, embeddings = _built(name), _embeddings()
    before = loss(embeddings, LABELS).item()
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.05)
    for _ in range(100):
        optimizer.zero_grad()
        loss(embeddings, LABELS).backward()
        optimizer.step()
    assert loss(embeddings, LABELS).item() < before
    if name in SEVERAL_CENTERS:
        assert isinstance(loss, ClassifyingLoss)
        assert torch.equal(loss.logits(embeddings).argmax(dim=1), LABELS)


@pytest.mark.parametrize("name", sorted(CLASSIFIERS - SEVERAL_CENTERS))
def test_the_highest_logit_is_that_of_the_nearest_class(name: str) -> None:
    loss, embeddings = _built(name), _embeddings()
    assert isinstance(loss, ClassifyingLoss)
    [weights] = loss.parameters()
    classes = weights if len(weights) == 4 else weights.T
    # The large margin softmax has inner products, every other loss cosines.
    directions = classes if name == "LargeMarginSoftmaxLoss" else torch.nn.functional.normalize(classes)
    logits = loss.logits(embeddings)
    assert logits.shape == (len(LABELS), 4)
    assert torch.equal(logits.argmax(dim=1), (embeddings @ directions.T).argmax(dim=1))


@pytest.mark.parametrize("name", ["ArcFaceLoss", "TripletMarginLoss"])
@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_the_arithmetic_is_float32_whatever_the_network_computes_in(name: str, half: torch.dtype) -> None:
    loss, embeddings = _built(name), _embeddings().to(half)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = loss(embeddings, LABELS)
    assert found.dtype == torch.float32
    assert torch.equal(found, loss(embeddings.float(), LABELS))


def test_a_run_trains_class_weights_of_the_library(tmp_path: Path) -> None:
    config = """
model: {name: fpn_osnet_x0_25, embedding_dim: 16, pooling: avg}
losses:
  - {name: pml/ArcFaceLoss, scale: 16}
  - {name: pml/TripletMarginLoss, weight: 0.5, miner: {name: MultiSimilarityMiner, epsilon: 0.2}}
data:
  sources: [{name: synthetic, train_identities: 4, test_identities: 2, cameras: 2, images_per_camera: 2}]
  targets: []
  image: {height: 64, width: 32}
  transforms: [resize]
  workers: 0
train: {epochs: 2, batch_size: 8, lr: 0.01, compile: false}
device: cpu
"""
    (tmp_path / "run.yaml").write_text(config)
    ended = subprocess.run(
        [sys.executable, "-m", "reidctl", "train", "-c", "run.yaml", "--run", "pml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    rows = [json.loads(line) for line in (tmp_path / "runs/pml/metrics.jsonl").read_text().splitlines()]
    assert any("pml/ArcFaceLoss" in str(row) for row in rows)
    state = torch.load(tmp_path / "runs/pml/weights/last.pt", weights_only=True)
    assert [value.shape for value in _tensors(state["losses"])] == [(16, 4)]
    # The optimizer's memory of the gradients of those weights.
    assert any(value.any() for value in _tensors(state["optimizer"]) if value.shape == (16, 4))


def _tensors(value: Any) -> list[Tensor]:
    """Every tensor in a saved state."""
    if isinstance(value, Tensor):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [tensor for item in items for tensor in _tensors(item)]
