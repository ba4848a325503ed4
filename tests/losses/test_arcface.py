import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reidctl.losses.arcface import ArcFace

PARITY = Path(__file__).parents[1] / "parity"
VALUES = json.loads((PARITY / "losses.json").read_text())["results"]
ARRAYS = np.load(PARITY / "losses.npz")


def test_value_and_gradient_are_those_of_the_originals_angular_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    loss = ArcFace(scale=30.0, embedding_dim=4, num_classes=12)
    monkeypatch.setattr(loss, "cosines", lambda cosines: cosines)
    cosines = torch.tensor(ARRAYS["cos_theta"], requires_grad=True)
    value = loss(cosines, torch.tensor(ARRAYS["labels"]))
    value.backward()
    assert value.item() == pytest.approx(VALUES["am.arc"]["value"], rel=1e-9)
    np.testing.assert_allclose(cosines.grad, ARRAYS["grad.am.arc"], rtol=1e-9, atol=1e-9)


def slow_loss(cosines: list[list[float]], labels: list[int], margin: float, scale: float, smoothing: float) -> float:
    total = 0.0
    for row, label in zip(cosines, labels, strict=True):
        angle = math.acos(row[label]) + margin
        lowered = math.cos(angle) if angle < math.pi else row[label] - margin * math.sin(margin)
        logits = [scale * (lowered if k == label else c) for k, c in enumerate(row)]
        largest = max(logits)
        log_sum = largest + math.log(sum(math.exp(z - largest) for z in logits))
        targets = [(1 - smoothing) * (k == label) + smoothing / len(row) for k in range(len(row))]
        total -= sum(t * (z - log_sum) for t, z in zip(targets, logits, strict=True))
    return total / len(labels)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    margin=st.floats(0, 3),
    scale=st.floats(0.5, 64),
    smoothing=st.floats(0, 0.9),
    sub_centers=st.integers(1, 3),
)
def test_the_loss_is_the_loop_over_samples_and_the_nearest_directions(
    seed: int, margin: float, scale: float, smoothing: float, sub_centers: int
) -> None:
    torch.manual_seed(seed)
    loss = ArcFace(margin, scale, smoothing, sub_centers, embedding_dim=3, num_classes=4).double()
    embeddings, labels = torch.randn(6, 3, dtype=torch.float64), torch.randint(0, 4, (6,))
    directions = loss.classifier.weight.T.tolist()
    cosines = [
        [
            max(
                sum(x * w for x, w in zip(e, directions[k * 4 + c], strict=True))
                / math.hypot(*e)
                / math.hypot(*directions[k * 4 + c])
                for k in range(sub_centers)
            )
            for c in range(4)
        ]
        for e in embeddings.tolist()
    ]
    expected = slow_loss(cosines, labels.tolist(), margin, scale, smoothing)
    assert loss(embeddings, labels).item() == pytest.approx(expected, rel=1e-6, abs=1e-9)
    torch.testing.assert_close(loss.logits(embeddings), scale * torch.tensor(cosines, dtype=torch.float64))
