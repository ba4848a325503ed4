import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reidctl.errors import InputError
from reidctl.losses.local_push import LocalPush

PARITY = Path(__file__).parents[1] / "parity"
VALUES = json.loads((PARITY / "losses.json").read_text())["results"]
ARRAYS = np.load(PARITY / "losses.npz")


@pytest.mark.parametrize(("case", "smart"), [("smart", True), ("fixed", False)])
def test_values_and_gradients_are_those_of_the_original(case: str, smart: bool) -> None:
    features = torch.tensor(ARRAYS["features"], requires_grad=True)
    cosines = torch.tensor(ARRAYS["cos_theta"], requires_grad=True)
    loss = LocalPush(smart_margin=smart)(features, torch.tensor(ARRAYS["labels"]), cosines=cosines)
    loss.backward()
    # The original keeps a fixed margin in float32.
    assert loss.item() == pytest.approx(VALUES[f"metric.local_push_{case}"]["value"], rel=1e-9 if smart else 1e-7)
    np.testing.assert_allclose(features.grad, ARRAYS[f"grad.metric.local_push_{case}"], rtol=1e-9, atol=1e-9)
    assert cosines.grad is None


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.integers(1, 9), margin=st.floats(0, 1), smart=st.booleans())
def test_the_loss_is_the_loop_over_anchors(seed: int, size: int, margin: float, smart: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(size, 3, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 4, (size,), generator=generator)
    cosines = torch.rand(size, 4, generator=generator, dtype=torch.float64) * 2 - 1
    total = 0.0
    for i, own in enumerate(labels.tolist()):
        threshold = max(cosines[i, own].item(), margin) - margin if smart else margin
        near = [
            sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)
            for a, b, label in zip([embeddings[i].tolist()] * size, embeddings.tolist(), labels.tolist(), strict=True)
            if label != own
        ]
        total += max([0.0, *(value - threshold for value in near)])
    found = LocalPush(margin, smart)(embeddings, labels, cosines=cosines)
    assert found.item() == pytest.approx(total / size, rel=1e-9, abs=1e-9)


def test_a_label_that_is_no_class_is_refused() -> None:
    with pytest.raises(InputError, match="label 3 is none of the loss's 3 classes"):
        LocalPush()(torch.randn(2, 4), torch.tensor([0, 3]), cosines=torch.zeros(2, 3))
