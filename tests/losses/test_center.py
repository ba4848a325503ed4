import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from reidctl.losses.center import Center

PARITY = Path(__file__).parents[1] / "parity"
VALUES = json.loads((PARITY / "losses.json").read_text())["results"]
ARRAYS = np.load(PARITY / "losses.npz")


def center(margin: float) -> Center:
    loss = Center(margin, embedding_dim=32, num_classes=12).double()
    with torch.no_grad():
        loss.centers.copy_(torch.tensor(ARRAYS["centers"]))
    return loss


@pytest.mark.parametrize("margin", [0.1, 1.2])
def test_values_and_gradients_are_those_of_the_original(margin: float) -> None:
    features, labels = torch.tensor(ARRAYS["features"], requires_grad=True), torch.tensor(ARRAYS["labels"])
    loss, pulling = center(margin), center(0.0)
    value, pulled = loss(features, labels), pulling(features.detach(), labels)
    value.backward()
    pulled.backward()
    push = VALUES[f"metric.centers_push_m{margin}"]["value"]
    assert pulled.item() == pytest.approx(VALUES["metric.center"]["value"], rel=1e-9)
    assert value.item() == pytest.approx(VALUES["metric.center"]["value"] + push, rel=1e-9)
    np.testing.assert_allclose(features.grad, ARRAYS["grad.metric.center"], rtol=1e-9, atol=1e-9)
    assert loss.centers.grad is not None
    assert pulling.centers.grad is not None
    pushed = loss.centers.grad - pulling.centers.grad
    np.testing.assert_allclose(pushed, ARRAYS[f"grad.metric.centers_push_m{margin}"], rtol=1e-6, atol=1e-9)


def cosine(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.integers(1, 9), margin=st.floats(0, 2))
def test_the_loss_is_the_loop_over_samples_and_pairs_of_centers(seed: int, size: int, margin: float) -> None:
    torch.manual_seed(seed)
    loss = Center(margin, embedding_dim=3, num_classes=5).double()
    embeddings, labels = torch.randn(size, 3, dtype=torch.float64), torch.randint(0, 5, (size,))
    centers = loss.centers.tolist()
    pulls = [1 - cosine(e, centers[label]) for e, label in zip(embeddings.tolist(), labels.tolist(), strict=True)]
    present = set(labels.tolist())
    pushes = [margin - (1 - cosine(centers[i], centers[j])) for i in present for j in present if i != j]
    pushes = [push for push in pushes if push > 0]
    expected = sum(pulls) / size + sum(pushes) / max(len(pushes), 1)
    assert loss(embeddings, labels).item() == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_lengths_of_centers_do_not_matter() -> None:
    torch.manual_seed(0)
    loss = Center(1.5, embedding_dim=4, num_classes=3)
    embeddings, labels = torch.randn(6, 4), torch.tensor([0, 0, 1, 1, 2, 2])
    before = loss(embeddings, labels)
    with torch.no_grad():
        loss.centers.mul_(torch.tensor([[0.1], [3.0], [20.0]]))
    torch.testing.assert_close(loss(embeddings, labels), before)


def test_centers_start_as_directions() -> None:
    loss = Center(embedding_dim=64, num_classes=9)
    torch.testing.assert_close(loss.centers.norm(dim=1), torch.ones(9))
    torch.testing.assert_close(normalize(loss.centers, dim=1), loss.centers)
