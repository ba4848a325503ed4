import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reidctl.losses.circle import Circle, CircleSoftmax


def cosine(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)


def slow_pairs(embeddings: list[list[float]], labels: list[int], margin: float, scale: float) -> float:
    """Anchor by anchor from equation 4 to 6 of the paper."""
    losses = []
    for a, own in enumerate(labels):
        positives = [cosine(embeddings[a], e) for b, e in enumerate(embeddings) if labels[b] == own and b != a]
        negatives = [cosine(embeddings[a], e) for b, e in enumerate(embeddings) if labels[b] != own]
        if not positives or not negatives:
            continue
        pushed = sum(math.exp(scale * max(0, s + margin) * (s - margin)) for s in negatives)
        pulled = sum(math.exp(-scale * max(0, 1 + margin - s) * (s - (1 - margin))) for s in positives)
        losses.append(math.log(1 + pushed * pulled))
    return sum(losses) / max(len(losses), 1)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.integers(1, 9), margin=st.floats(0, 0.9), scale=st.floats(1, 128))
def test_the_loss_is_the_loop_over_anchors(seed: int, size: int, margin: float, scale: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(size, 3, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 3, (size,), generator=generator)
    expected = slow_pairs(embeddings.tolist(), labels.tolist(), margin, scale)
    assert Circle(margin, scale)(embeddings, labels).item() == pytest.approx(expected, rel=1e-7, abs=1e-7)


def test_by_hand() -> None:
    # Cosines of anchor 0: 0.6 to its partner, 0 to the other; of anchor 1: 0.6 and 0.8; the third has no partner.
    embeddings = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    pull = math.exp(-(1.25 - 0.6) * (0.6 - 0.75))
    first = math.log(1 + math.exp(0.25 * -0.25) * pull)
    second = math.log(1 + math.exp(1.05 * 0.55) * pull)
    found = Circle(margin=0.25, scale=1.0)(embeddings, torch.tensor([4, 4, 7]))
    assert found.item() == pytest.approx((first + second) / 2)


def test_a_pair_is_weighed_but_the_weight_is_not_differentiated() -> None:
    # Two of one identity at angle t apart, one opposite to both: only the pull has a gradient.
    angle = torch.tensor(0.9, dtype=torch.float64, requires_grad=True)
    rows = [torch.stack([angle.cos(), angle.sin(), angle * 0]), torch.eye(3, dtype=torch.float64)[0]]
    loss = Circle(margin=0.25, scale=2.0)
    embeddings = torch.stack([*rows, torch.eye(3, dtype=torch.float64)[2]])
    value = loss(embeddings, torch.tensor([0, 0, 1]))
    value.backward()
    s = math.cos(0.9)
    logit = 2 * (0.25 * -0.25) - 2 * (1.25 - s) * (s - 0.75)
    # d logit / d s = -2 (1.25 - s), where the full derivative of the product would be another; d s / d t = -sin t.
    assert angle.grad is not None
    assert angle.grad.item() == pytest.approx(2 * (1.25 - s) * math.sin(0.9) / (1 + math.exp(-logit)))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), margin=st.floats(0, 0.9), scale=st.floats(1, 256), smoothing=st.floats(0, 0.5))
def test_the_loss_over_classes_is_the_loop_over_samples(
    seed: int, margin: float, scale: float, smoothing: float
) -> None:
    torch.manual_seed(seed)
    loss = CircleSoftmax(margin, scale, smoothing, embedding_dim=3, num_classes=5).double()
    embeddings, labels = torch.randn(7, 3, dtype=torch.float64), torch.randint(0, 5, (7,))
    total = 0.0
    for e, label in zip(embeddings.tolist(), labels.tolist(), strict=True):
        cosines = [cosine(e, w) for w in loss.classifier.weight.T.tolist()]
        logits = [
            scale * ((1 + margin - s) * (s - 1 + margin) if k == label else max(0, s + margin) * (s - margin))
            for k, s in enumerate(cosines)
        ]
        largest = max(logits)
        log_sum = largest + math.log(sum(math.exp(z - largest) for z in logits))
        total += log_sum - (1 - smoothing) * logits[label] - smoothing * sum(logits) / 5
    assert loss(embeddings, labels).item() == pytest.approx(total / 7, rel=1e-8, abs=1e-8)


def test_with_one_positive_and_one_negative_both_forms_agree() -> None:
    # Two classes: the pair of target and other class is the only one, and softplus of its sum is the cross entropy.
    loss = CircleSoftmax(embedding_dim=2, num_classes=2, scale=8.0).double()
    with torch.no_grad():
        loss.classifier.weight.copy_(torch.tensor([[1.0, 0.6], [0.0, -0.8]]))
    anchor = torch.tensor([[0.8, 0.6]], dtype=torch.float64)
    pairs = Circle(scale=8.0)(torch.cat([anchor, loss.classifier.weight.T.detach()]), torch.tensor([0, 0, 1]))
    first = loss(anchor, torch.tensor([0])).item()
    # The mean over two anchors: this one and its partner, whose cosines are 0.8 and 0.6.
    partner = math.log(1 + math.exp(8 * 0.85 * 0.35) * math.exp(-8 * 0.45 * 0.05))
    assert pairs.item() == pytest.approx((first + partner) / 2)
