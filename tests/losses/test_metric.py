import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from reidctl.errors import ConfigError
from reidctl.losses.metric import Metric

PARITY = Path(__file__).parents[1] / "parity"
VALUES = json.loads((PARITY / "losses.json").read_text())["results"]
ARRAYS = np.load(PARITY / "losses.npz")
LABELS = torch.tensor(ARRAYS["labels"])
TERMS = list(VALUES["metric.aggregate"]["params"]["summary"].values())
"""center, push_center, triplet and local_push, unweighted."""


def metric(**parameters: Any) -> Metric:
    loss = Metric(**{"center_margin": 1.2, **parameters}, embedding_dim=32, num_classes=12).double()
    if parameters.get("center", 1) > 0:
        with torch.no_grad():
            loss.centers.copy_(torch.tensor(ARRAYS["centers"]))
    return loss


def value_of(loss: Metric, features: torch.Tensor) -> torch.Tensor:
    result: torch.Tensor = loss(features, LABELS, cosines=torch.tensor(ARRAYS["cos_theta"]))
    return result


def stepped(centers: torch.nn.Parameter) -> torch.Tensor:
    """The original's step: gradient descent at a rate of 0.5, then back to unit length."""
    assert centers.grad is not None
    return normalize(centers.detach() - 0.5 * centers.grad, dim=1)


def test_without_balance_the_sum_is_that_of_the_original() -> None:
    features = torch.tensor(ARRAYS["features"], requires_grad=True)
    loss = metric(center=0.5, triplet=0.7, local_push=1.3, balance=False)
    value = value_of(loss, features)
    value.backward()
    assert value.item() == pytest.approx(VALUES["metric.aggregate"]["value"], rel=1e-9)
    np.testing.assert_allclose(features.grad, ARRAYS["grad.metric.aggregate"], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(stepped(loss.centers), ARRAYS["centers_after_step.plain"], rtol=1e-6, atol=1e-8)


def test_with_balance_it_is_the_originals_when_the_weights_are_1() -> None:
    features = torch.tensor(ARRAYS["features"], requires_grad=True)
    loss = metric()
    start = torch.tensor(VALUES["metric.aggregate_balanced"]["params"]["initial_loss_weights"])
    with torch.no_grad():
        loss.log_weights.copy_(start)
    value = value_of(loss, features)
    value.backward()
    assert value.item() == pytest.approx(VALUES["metric.aggregate_balanced"]["value"], rel=1e-7)
    np.testing.assert_allclose(features.grad, ARRAYS["grad.metric.aggregate_balanced"], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(stepped(loss.centers), ARRAYS["centers_after_step.balanced"], rtol=1e-6, atol=1e-7)
    assert loss.log_weights.grad is not None
    after = loss.log_weights.detach() - 0.01 * loss.log_weights.grad
    np.testing.assert_allclose(after, ARRAYS["loss_weights_after_step"], rtol=1e-6, atol=1e-7)


def test_with_balance_the_weights_still_count() -> None:
    # The original computes 1.94 here whatever its coefficients are.
    weights, logs = [0.5, 0.5, 0.7, 1.3], [0.3, -0.2, 0.1, 0.4]
    loss = metric(center=0.5, triplet=0.7, local_push=1.3)
    with torch.no_grad():
        loss.log_weights.copy_(torch.tensor(logs))
    balanced = [max(0.0, math.exp(-w) * term + 0.1 * w) for w, term in zip(logs, TERMS, strict=True)]
    expected = sum(weight * term for weight, term in zip(weights, balanced, strict=True))
    found = value_of(loss, torch.tensor(ARRAYS["features"])).item()
    assert found == pytest.approx(expected, rel=1e-6)
    assert found != pytest.approx(VALUES["metric.aggregate_balanced"]["value"], rel=0.05)


def test_terms_that_are_zero_leave_their_share_to_the_others() -> None:
    # With a margin of 0.1 no centres are near: three terms of four count, times 4/3.
    loss = metric(center_margin=0.1)
    expected = (TERMS[0] + TERMS[2] + TERMS[3]) * 4 / 3
    assert value_of(loss, torch.tensor(ARRAYS["features"])).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("parameters", "index", "names"),
    [
        ({"center": 0.0, "local_push": 0.0}, 2, []),
        ({"center": 0.0, "triplet": 0.0}, 3, []),
    ],
)
def test_a_term_alone_is_not_balanced(parameters: dict[str, float], index: int, names: list[str]) -> None:
    loss = metric(**parameters)
    assert list(loss.state_dict()) == names
    assert value_of(loss, torch.tensor(ARRAYS["features"])).item() == pytest.approx(TERMS[index], rel=1e-6)


def test_nothing_to_add_is_an_error() -> None:
    with pytest.raises(ConfigError, match="all 0"):
        metric(center=0.0, triplet=0.0, local_push=0.0)
