import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reidctl.errors import ConfigError
from reidctl.losses.am_softmax import AMSoftmax
from reidctl.losses.scale import ScaleSchedule

PARITY = Path(__file__).parents[1] / "parity"
VALUES = json.loads((PARITY / "losses.json").read_text())["results"]
ARRAYS = np.load(PARITY / "losses.npz")

PRESET = {"pr_product": True, "confidence_penalty": 0.3}
CASES = {
    "am.plain": {},
    "am.s10_m0.2": {"margin": 0.2, "scale": 10.0},
    "am.pr_product": {"pr_product": True},
    "am.conf_penalty_0.3": {"confidence_penalty": 0.3},
    "am.label_smooth": {"label_smoothing": 0.1},
    "am.preset_0248": PRESET,
    "am.preset_0265": {**PRESET, "label_smoothing": 0.1},
    "am.focal_gamma2": {"focal_gamma": 2.0},
    "am.symmetric_ce": {"symmetric": 1.0},
    "am.adaptive_margins": {"adaptive_margins": True},
    "am.arc": {"margin": 0.5, "margin_type": "arc"},
    "am.arc_pr": {"margin": 0.5, "margin_type": "arc", "pr_product": True},
}
COUNTS = torch.tensor(list(VALUES["am.adaptive_margins"]["params"]["class_counts"].values()))


def am_softmax(embedding_dim: int = 4, num_classes: int = 3, **parameters: object) -> AMSoftmax:
    return AMSoftmax(**parameters, embedding_dim=embedding_dim, num_classes=num_classes)  # type: ignore[arg-type]


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_are_those_of_the_original(case: str) -> None:
    # The original makes smoothed targets and adaptive margins in float32, which moves its float64 results by 3e-7.
    tolerance = 1e-6 if {"label_smoothing", "adaptive_margins"} & CASES[case].keys() else 1e-9
    cosines = torch.tensor(ARRAYS["cos_theta"], requires_grad=True)
    built = am_softmax(**CASES[case], num_classes=12, class_counts=COUNTS)
    loss = built.from_cosines(cosines, torch.tensor(ARRAYS["labels"]))
    loss.backward()
    assert loss.item() == pytest.approx(VALUES[case]["value"], rel=tolerance)
    np.testing.assert_allclose(cosines.grad, ARRAYS[f"grad.{case}"], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("iteration", [0, 1, 50, 100, 150, 200, 500])
def test_a_scheduled_scale_gives_the_values_of_the_original(iteration: int) -> None:
    schedule = ScaleSchedule(end=5.0, epochs=200.0, hold=20.0)
    loss = am_softmax(embedding_dim=32, num_classes=12, scale_schedule=schedule).double()
    cosines = torch.tensor(ARRAYS["cos_theta"], requires_grad=True)
    found = loss.from_cosines(cosines, torch.tensor(ARRAYS["labels"]), epoch=float(iteration))
    found.backward()
    case = f"am.scale_schedule_it{iteration}"
    assert found.item() == pytest.approx(VALUES[case]["value"], rel=1e-9)
    np.testing.assert_allclose(cosines.grad, ARRAYS[f"grad.{case}"], rtol=1e-9, atol=1e-9)
    features = torch.tensor(ARRAYS["features"])
    logits = loss.logits(features, epoch=float(iteration))
    torch.testing.assert_close(logits, VALUES[case]["params"]["scale"] * loss.cosines(features))


def with_margin(cosine: float, margin: float, margin_type: str) -> float:
    if margin_type == "cos":
        return cosine - margin
    angle = math.acos(cosine) + margin
    return math.cos(angle) if angle < math.pi else cosine - margin * math.sin(margin)


def slow_loss(cosines: torch.Tensor, labels: list[int], counts: list[int], options: dict[str, Any]) -> float:
    """Sample by sample from the definition, without tensors."""
    losses = []
    scale, eps = options["scale"], options["label_smoothing"]
    shares = [count / sum(counts) for count in counts]
    rarity = [1 / (share + 1e-4) for share in shares]
    average = sum(share * weight for share, weight in zip(shares, rarity, strict=True))
    for row, label in zip(cosines.tolist(), labels, strict=True):
        margin = options["margin"] / (counts[label] ** 0.25 if options["adaptive_margins"] else 1)
        logits = [
            scale * (with_margin(c, margin, options["margin_type"]) if k == label else c) for k, c in enumerate(row)
        ]
        largest = max(logits)
        log_sum = largest + math.log(sum(math.exp(z - largest) for z in logits))
        log_p = [z - log_sum for z in logits]
        targets = [(1 - eps) * (k == label) + eps / len(row) for k in range(len(row))]
        p = math.exp(log_p[label])
        loss = (1 - p) ** options["focal_gamma"] * -sum(t * q for t, q in zip(targets, log_p, strict=True))
        loss += options["symmetric"] * 4 * (1 - p)
        loss -= options["confidence_penalty"] * -sum(math.exp(q) * q for q in log_p)
        losses.append(max(0.0, loss) * (rarity[label] / average if options["class_weighting"] else 1))
    counted = [loss for loss in losses if loss != 0]
    return sum(losses) / max(len(counted), 1)


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    options=st.fixed_dictionaries(
        {
            "margin": st.floats(0, 1),
            "margin_type": st.sampled_from(["cos", "arc"]),
            # Larger ones make losses near 1e-16, of which some round to 0 and are not counted.
            "scale": st.floats(0.5, 12),
            "label_smoothing": st.floats(0, 0.9),
            "confidence_penalty": st.floats(0, 4),
            "focal_gamma": st.sampled_from([0.0, 0.5, 2.0]),
            "symmetric": st.floats(0, 2),
            "adaptive_margins": st.booleans(),
            "class_weighting": st.booleans(),
        }
    ),
)
def test_the_loss_is_the_loop_over_samples(seed: int, options: dict[str, Any]) -> None:
    generator = torch.Generator().manual_seed(seed)
    cosines = torch.rand(6, 5, generator=generator, dtype=torch.float64) * 1.998 - 0.999
    labels, counts = (torch.randint(low, high, (n,), generator=generator) for low, high, n in [(0, 5, 6), (1, 50, 5)])
    loss = am_softmax(**options, num_classes=5, class_counts=counts)
    expected = slow_loss(cosines, labels.tolist(), counts.tolist(), options)
    # Class weights are kept as float32.
    tolerance = 1e-6 if options["class_weighting"] else 1e-8
    assert loss.from_cosines(cosines, labels).item() == pytest.approx(expected, rel=tolerance, abs=1e-8)


def test_the_margin_of_a_class_outlives_batches_without_it() -> None:
    # The original of July 2021 multiplied its margins by each batch's one-hot labels, in place.
    cosines = torch.tensor([[0.3, 0.1, -0.2]], dtype=torch.float64)
    loss = am_softmax(adaptive_margins=True, scale=1.0, class_counts=torch.tensor([16, 1, 81]))
    for _ in range(3):
        loss.from_cosines(cosines, torch.tensor([1]))
    with_its_margin = math.log(1 + (math.exp(0.1) + math.exp(-0.2)) / math.exp(0.3 - 0.35 / 2))
    vanished = math.log(1 + (math.exp(0.1) + math.exp(-0.2)) / math.exp(0.3))
    found = loss.from_cosines(cosines, torch.tensor([0])).item()
    assert found == pytest.approx(with_its_margin)
    assert found != pytest.approx(vanished, rel=1e-3)


@pytest.mark.parametrize("parameter", ["adaptive_margins", "class_weighting"])
@pytest.mark.parametrize("counts", [None, torch.tensor([3, 2]), torch.tensor([1, 0, 2])])
def test_the_images_of_each_class_must_be_known(parameter: str, counts: torch.Tensor | None) -> None:
    with pytest.raises(ConfigError, match="class_counts"):
        am_softmax(**{parameter: True}, class_counts=counts)


def test_what_follows_from_the_data_is_not_saved() -> None:
    loss = am_softmax(adaptive_margins=True, class_weighting=True, class_counts=torch.tensor([3, 2, 1]))
    assert list(loss.state_dict()) == ["classifier.weight"]


def test_arc_continues_below_the_cosine_whose_angle_passes_pi() -> None:
    cosines = torch.tensor([[-0.95, 0.0]], dtype=torch.float64)
    loss = am_softmax(margin=0.5, margin_type="arc", scale=1.0, num_classes=2).from_cosines(cosines, torch.tensor([0]))
    assert loss.item() == pytest.approx(math.log(1 + math.exp(0.95 + 0.5 * math.sin(0.5))))


def test_solved_samples_do_not_thin_the_mean() -> None:
    # Uniform cosines: cross entropy ln 2 equals the entropy, so a penalty of 1 leaves the first sample nothing.
    cosines = torch.tensor([[0.5, 0.5], [0.0, 1.0]], dtype=torch.float64)
    loss = am_softmax(margin=0.0, scale=1.0, confidence_penalty=1.0, num_classes=2).from_cosines(
        cosines, torch.tensor([0, 0])
    )
    p = 1 / (1 + math.e)  # of the target of the second sample
    entropy = -p * math.log(p) - (1 - p) * math.log(1 - p)
    assert loss.item() == pytest.approx(-math.log(p) - entropy, rel=1e-9)


def test_a_batch_without_open_samples_gives_zero() -> None:
    cosines = torch.tensor([[1.0, -1.0], [-1.0, 1.0]], requires_grad=True)
    loss = am_softmax(margin=0.0, confidence_penalty=4.0, num_classes=2).from_cosines(cosines, torch.tensor([0, 1]))
    loss.backward()
    assert loss.item() == 0
    assert cosines.grad is not None
    assert not cosines.grad.any()


@pytest.mark.parametrize("margin_type", ["cos", "arc"])
@pytest.mark.parametrize("target", [1.0, -1.0])
def test_gradients_stay_finite_where_an_embedding_is_its_class_weight(margin_type: str, target: float) -> None:
    loss = am_softmax(margin_type=margin_type, pr_product=True)
    with torch.no_grad():
        loss.classifier.weight.copy_(torch.eye(4)[:, :3])
    embeddings = torch.tensor([[target, 0, 0, 0]], requires_grad=True)
    loss(embeddings, torch.tensor([0])).backward()
    assert embeddings.grad is not None
    assert embeddings.grad.isfinite().all()
    assert loss.classifier.weight.grad is not None
    assert loss.classifier.weight.grad.isfinite().all()


def test_pr_product_multiplies_the_gradient_by_the_inverse_sine_up_to_a_thousand() -> None:
    values = torch.tensor([[0.0, 0.6, -0.8, 1.0]], dtype=torch.float64)
    gradients = {}
    for pr_product in (False, True):
        cosines = values.clone().requires_grad_()
        am_softmax(pr_product=pr_product, scale=1.0, num_classes=4).from_cosines(cosines, torch.tensor([0])).backward()
        gradients[pr_product] = cosines.grad
    factors = gradients[True] / gradients[False]
    assert factors.tolist()[0] == pytest.approx([1, 1 / 0.8, 1 / 0.6, 1000])


def test_forward_and_logits_go_through_the_cosines() -> None:
    loss = am_softmax(embedding_dim=32, num_classes=12, **PRESET).double()
    with torch.no_grad():
        loss.classifier.weight.copy_(torch.tensor(ARRAYS["weight"]))
    features, labels = torch.tensor(ARRAYS["features"]), torch.tensor(ARRAYS["labels"])
    cosines = torch.tensor(ARRAYS["angle_linear_out"])
    assert loss(features, labels).item() == pytest.approx(loss.from_cosines(cosines, labels).item(), rel=1e-9)
    np.testing.assert_allclose(loss.logits(features).detach(), 30 * ARRAYS["angle_linear_out"], rtol=1e-9, atol=1e-9)


def test_one_batch_does_not_change_the_loss_of_another() -> None:
    loss = am_softmax(**PRESET)
    embeddings, labels = torch.randn(2, 8, 4), torch.randint(0, 3, (2, 8))
    state = {name: value.clone() for name, value in loss.state_dict().items()}
    first = loss(embeddings[0], labels[0])
    loss(embeddings[1][:3], labels[1][:3])
    assert torch.equal(first, loss(embeddings[0], labels[0]))
    assert all(torch.equal(value, state[name]) for name, value in loss.state_dict().items())


def test_bfloat16_autocast_computes_in_float32() -> None:
    loss = am_softmax(embedding_dim=16, num_classes=5, **PRESET)
    embeddings, labels = torch.randn(8, 16).bfloat16().requires_grad_(), torch.randint(0, 5, (8,))
    expected = loss(embeddings.float(), labels)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = loss(embeddings, labels)
    found.backward()
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)
    assert embeddings.grad is not None
    assert embeddings.grad.isfinite().all()


def test_an_empty_batch_gives_zero() -> None:
    assert am_softmax()(torch.empty(0, 4), torch.empty(0, dtype=torch.int64)).item() == 0


def test_an_angle_of_half_a_turn_or_more_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"margin 28\.6 is no angle below pi") as error:
        am_softmax(margin=28.6, margin_type="arc")
    assert error.value.hint == "it is in radians: 28.6 degrees are 0.499"
    am_softmax(margin=28.6, margin_type="cos")
    am_softmax(margin=3.14, margin_type="arc")
