import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reidctl.losses.mixing import Mixing

NONE = torch.empty(0)


def probabilities(logits: list[float]) -> list[float]:
    return [math.exp(z) / sum(map(math.exp, logits)) for z in logits]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.integers(1, 9))
def test_the_loss_is_the_loop_over_copies(seed: int, size: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(size, 4, generator=generator, dtype=torch.float64)
    indices = torch.randint(0, 4, (size,), generator=generator)
    costs = []
    for row, index in zip(logits.tolist(), indices.tolist(), strict=True):
        copies = [probabilities(other) for other in logits[indices == index].tolist()]
        if len(copies) > 1:
            agreed = [sum(values) / len(copies) for values in zip(*copies, strict=True)]
            costs.append(-sum(p * math.log(q) for p, q in zip(agreed, probabilities(row), strict=True)))
    found = Mixing()(NONE, NONE, logits=logits, indices=indices)
    assert found.item() == pytest.approx(sum(costs) / max(len(costs), 1), rel=1e-9, abs=1e-12)


def test_the_agreement_is_not_differentiated() -> None:
    # Copies that say (1/4, 3/4) and (3/4, 1/4) agree on (1/2, 1/2): the gradient of each is its own softmax less that.
    logits = torch.tensor([[1.0, 3.0], [3.0, 1.0]]).log().requires_grad_()
    Mixing()(NONE, NONE, logits=logits, indices=torch.tensor([5, 5])).backward()
    torch.testing.assert_close(logits.grad, torch.tensor([[-0.125, 0.125], [0.125, -0.125]]))


def test_images_without_copies_cost_nothing() -> None:
    logits = torch.randn(4, 3, requires_grad=True)
    loss = Mixing()(NONE, NONE, logits=logits, indices=torch.arange(4))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()
