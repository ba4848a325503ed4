import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reidctl.losses.cosine_triplet import CosineTriplet

PARITY = Path(__file__).parents[1] / "parity"
VALUES = json.loads((PARITY / "losses.json").read_text())["results"]
ARRAYS = np.load(PARITY / "losses.npz")


def test_value_and_gradient_of_the_hardest_are_those_of_the_original() -> None:
    features = torch.tensor(ARRAYS["features"], requires_grad=True)
    loss = CosineTriplet()(features, torch.tensor(ARRAYS["labels"]))
    loss.backward()
    assert loss.item() == pytest.approx(VALUES["metric.semihard_m0.35"]["value"], rel=1e-9)
    np.testing.assert_allclose(features.grad, ARRAYS["grad.metric.semihard_m0.35"], rtol=1e-9, atol=1e-9)


Sides = list[tuple[list[Tensor], list[Tensor]]]


def sides(embeddings: Tensor, labels: list[int]) -> Sides:
    """For each anchor with a negative its cosines to positives, 1 where there is none, and to negatives."""
    found = []
    for a, own in enumerate(labels):
        cosines = [(embeddings[a] * row).sum() / embeddings[a].norm() / row.norm() for row in embeddings]
        negatives = [cosine for cosine, label in zip(cosines, labels, strict=True) if label != own]
        positives = [cosine for b, cosine in enumerate(cosines) if labels[b] == own and b != a]
        if negatives:
            found.append((positives or [torch.ones((), dtype=torch.float64)], negatives))
    return found


BATCH = {"seed": st.integers(0, 10**6), "size": st.integers(1, 8), "margin": st.floats(0, 1)}


def batch(seed: int, size: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(size, 4, generator=generator, dtype=torch.float64)
    return embeddings.requires_grad_(), torch.randint(0, 3, (size,), generator=generator)


@settings(max_examples=60, deadline=None)
@given(**BATCH)
def test_hard_is_the_loop_over_anchors(seed: int, size: int, margin: float) -> None:
    embeddings, labels = batch(seed, size)
    rows = sides(embeddings, labels.tolist())
    hinges = [max(0.0, margin + (max(negatives) - min(positives)).item()) for positives, negatives in rows]
    expected = sum(hinges) / max(sum(hinge > 0 for hinge in hinges), 1)
    assert CosineTriplet(margin)(embeddings, labels).item() == pytest.approx(expected, rel=1e-9, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(**BATCH)
def test_distance_weighted_and_its_gradient_are_those_of_the_loop_over_triplets(
    seed: int, size: int, margin: float
) -> None:
    embeddings, labels = batch(seed, size)
    total, count = (embeddings * 0).sum(), 0.0
    for positives, negatives in sides(embeddings, labels.tolist()):
        distances = [1 - s_n.item() for s_n in negatives]
        # 1 / q(d) for D = 4; as plain numbers, the weights have no gradient.
        rarity = [d**-2 * (1 - d**2 / 4) ** -0.5 for d in distances]
        for s_p in positives:
            for s_n, weight in zip(negatives, rarity, strict=True):
                share = weight / sum(rarity) / len(positives)
                total = total + share * (margin + s_n - s_p).relu()
                count += share * bool(margin + s_n - s_p > 0)
    expected = total / max(count, 1)
    found = CosineTriplet(margin, "distance_weighted")(embeddings, labels)
    torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-9)
    gradients = [torch.autograd.grad(value, embeddings, retain_graph=True)[0] for value in (found, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-6, atol=1e-8)


def test_one_draw_of_the_original_is_near_the_mean_over_all() -> None:
    loss = CosineTriplet(mining="distance_weighted")
    found = loss(torch.tensor(ARRAYS["features"]), torch.tensor(ARRAYS["labels"])).item()
    # The deviation of one draw is 0.04 on this batch.
    assert found == pytest.approx(VALUES["metric.invdist_m0.35_seed123"]["value"], abs=0.1)
