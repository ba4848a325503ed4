import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reidctl.losses.triplet import Triplet

PARITY = Path(__file__).parents[1] / "parity"
VALUES = json.loads((PARITY / "losses.json").read_text())["results"]
ARRAYS = np.load(PARITY / "losses.npz")


@pytest.mark.parametrize(("case", "margin"), [("triplet.hard_m0.3", 0.3), ("triplet.hard_m5", 5.0)])
def test_values_and_gradients_are_those_of_the_original(case: str, margin: float) -> None:
    features = torch.tensor(ARRAYS["features"], requires_grad=True)
    loss = Triplet(margin=margin)(features, torch.tensor(ARRAYS["labels"]))
    loss.backward()
    assert loss.item() == pytest.approx(VALUES[case]["value"], rel=1e-9)
    np.testing.assert_allclose(features.grad, ARRAYS[f"grad.{case}"], rtol=1e-9, atol=1e-9)


def slow_loss(embeddings: list[list[float]], labels: list[int], margin: float) -> float:
    """Anchor by anchor from the definition."""
    total = 0.0
    for a, anchor in enumerate(labels):
        distances = [max(math.dist(embeddings[a], other), 1e-6) for other in embeddings]
        positives = [d for d, label in zip(distances, labels, strict=True) if label == anchor]
        negatives = [d for d, label in zip(distances, labels, strict=True) if label != anchor]
        total += max(0.0, max(positives) - min(negatives) + margin) if negatives else 0.0
    return total / len(labels)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.integers(1, 9), margin=st.floats(0, 3), normalize=st.booleans())
def test_the_loss_is_the_loop_over_anchors(seed: int, size: int, margin: float, normalize: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(size, 3, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 3, (size,), generator=generator)
    compared = [[x / math.hypot(*row) for x in row] if normalize else row for row in embeddings.tolist()]
    loss = Triplet(margin=margin, normalize=normalize)(embeddings, labels)
    assert loss.item() == pytest.approx(slow_loss(compared, labels.tolist(), margin), rel=1e-9, abs=1e-9)


def test_a_batch_of_one_identity_gives_zero_and_no_gradient() -> None:
    embeddings = torch.randn(4, 3, requires_grad=True)
    loss = Triplet()(embeddings, torch.zeros(4, dtype=torch.int64))
    loss.backward()
    assert loss.item() == 0
    assert embeddings.grad is not None
    assert not embeddings.grad.any()


def test_an_empty_batch_gives_zero() -> None:
    assert Triplet()(torch.empty(0, 3), torch.empty(0, dtype=torch.int64)).item() == 0


def test_equal_embeddings_have_finite_gradients() -> None:
    embeddings = torch.ones(4, 3, requires_grad=True)
    Triplet()(embeddings, torch.tensor([0, 0, 1, 1])).backward()
    assert embeddings.grad is not None
    assert embeddings.grad.isfinite().all()


def test_small_distances_of_long_embeddings_are_exact() -> None:
    # |a|² + |b|² - 2ab in float32 knows 1000² to 0.06 only and would lose a distance of 0.1 altogether.
    embeddings = torch.tensor([[1000.0, 0.0], [1000.0, 0.125], [1000.0, 1.0]])
    loss = Triplet(margin=1.0)(embeddings, torch.tensor([0, 0, 1]))
    expected = ((0.125 - 1 + 1) + (0.125 - 0.875 + 1) + (1e-6 - 0.875 + 1)) / 3
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_bfloat16_autocast_computes_in_float32() -> None:
    embeddings, labels = torch.randn(8, 6).bfloat16(), torch.arange(8) // 2
    expected = Triplet()(embeddings.float(), labels)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = Triplet()(embeddings, labels)
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)
