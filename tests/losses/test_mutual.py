import math

import pytest
import torch

from reidctl.losses.distillation import DistillSimilarities
from reidctl.losses.mutual import MutualLogits, MutualSimilarities

LABELS = torch.tensor([0, 1, 1])


def probabilities(logits: list[float], temperature: float) -> list[float]:
    return [math.exp(z / temperature) / sum(math.exp(other / temperature) for other in logits) for z in logits]


def test_logits_are_drawn_to_each_peer_alike() -> None:
    generator = torch.Generator().manual_seed(0)
    own, *peers = (torch.randn(3, 4, generator=generator, dtype=torch.float64) for _ in range(3))
    costs = [
        p * math.log(p / q)
        for peer in peers
        for target, row in zip(peer.tolist(), own.tolist(), strict=True)
        for p, q in zip(probabilities(target, 2.0), probabilities(row, 2.0), strict=True)
    ]
    found = MutualLogits(2.0)(torch.empty(3, 1), LABELS, logits=own, peer_logits=peers)
    assert found.item() == pytest.approx(sum(costs) / 2 / 3)


def test_similarities_to_peers_are_those_to_teachers() -> None:
    generator = torch.Generator().manual_seed(1)
    own, *peers = (torch.randn(3, size, generator=generator) for size in (4, 2, 6))
    expected = sum(DistillSimilarities(0.3)(own, LABELS, teacher=peer) for peer in peers) / 2
    torch.testing.assert_close(MutualSimilarities(0.3)(own, LABELS, peers=peers), expected)


def test_peers_are_targets_without_gradient() -> None:
    own, peer = (torch.randn(3, 4, requires_grad=True) for _ in range(2))
    MutualSimilarities()(own, LABELS, peers=[peer]).backward()
    MutualLogits()(own, LABELS, logits=own, peer_logits=[peer]).backward()
    assert peer.grad is None
    assert own.grad is not None
