import json
import math
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reidctl.losses.regularizers import FilterCorrelation, FilterNorms, FilterOrthogonality
from reidctl.registry import models
from reidctl.types import Spec

PARITY = Path(__file__).parents[1] / "parity"
VALUES = json.loads((PARITY / "losses.json").read_text())["results"]
ARRAYS = np.load(PARITY / "losses.npz")


def network() -> nn.Sequential:
    gate = nn.Sequential(OrderedDict(fc1=nn.Conv2d(6, 2, 1), fc2=nn.Conv2d(2, 6, 1)))
    layers = OrderedDict(
        conv1=nn.Conv2d(3, 8, 3, bias=False),
        bn1=nn.BatchNorm2d(8),
        conv2=nn.Conv2d(8, 6, 1),
        gate=gate,
        dw=nn.Conv2d(6, 6, 3, groups=6, bias=False),
        bn2=nn.BatchNorm2d(6),
    )
    model = nn.Sequential(layers).double()
    model.load_state_dict({key: torch.tensor(ARRAYS[f"regnet.{key}"]) for key in model.state_dict()})
    return model


def value(loss: nn.Module, model: nn.Module) -> Tensor:
    result: Tensor = loss(torch.zeros(1, 2, dtype=torch.float64), torch.zeros(1, dtype=torch.int64), model=model)
    return result


def test_orthogonality_is_that_of_the_original_started_from_ones() -> None:
    # Its beta is 0.001, times 10; parts of it are computed in float32.
    model = network()
    found = value(FilterOrthogonality(), model).item()
    assert 0.01 * found == pytest.approx(VALUES["reg.ow_ones_start"]["value"], rel=1e-6)
    alone = value(FilterOrthogonality(), nn.Sequential(model.conv1)).item()
    assert 0.01 * alone == pytest.approx(VALUES["reg.ow_conv1_only_ones"], rel=1e-6)


def test_orthogonal_filters_of_equal_length_cost_nothing() -> None:
    layer = nn.Conv2d(4, 4, 1, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(3 * torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64)).Q[:, :, None, None])
    assert value(FilterOrthogonality(), layer).item() == pytest.approx(0, abs=1e-9)


def test_orthogonality_of_two_filters_by_hand() -> None:
    # Squared lengths 4 and 1: from (1, 1) the products with diag(4, 1) are (4, 1) and (16, 1), so the largest is 65/17;
    # with diag(3, -48)/17 they are (3, -48) and (9, 2304), so the smallest is that quotient, plus 65/17.
    layer = nn.Conv2d(2, 2, 1, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[2.0, 0.0], [0.0, 1.0]])[:, :, None, None])
    gap = (3 * 9 - 48 * 2304) / (3**2 + 48**2) / 17
    assert value(FilterOrthogonality(), layer).item() == pytest.approx(gap**2)


@pytest.mark.parametrize(("case", "ratio"), [("reg.nw", 10.0), ("reg.nw_ratio1.5", 1.5)])
def test_norms_are_those_of_the_original(case: str, ratio: float) -> None:
    assert 10 * value(FilterNorms(ratio), network()).item() == pytest.approx(VALUES[case]["value"], rel=1e-9)


def test_the_norm_of_a_filter_takes_in_the_batch_norm_that_follows() -> None:
    model = nn.Sequential(nn.Conv2d(1, 3, 1, bias=False), nn.BatchNorm2d(3, eps=0.0)).double()
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([0.5, -1.0, 3.0])[:, None, None, None])
        model[1].weight.copy_(torch.tensor([1.0, 2.0, 1.0]))
        model[1].running_var.copy_(torch.tensor([1.0, 4.0, 9.0]))
    # Norms 0.5, 1 x 2 / 2 and 3 / 3, around their median 1.
    assert value(FilterNorms(1.2), model).item() == pytest.approx(0.25 / 3)
    assert value(FilterNorms(2.5), model).item() == 0


def slow_correlation(weight: Tensor, threshold: float) -> float:
    filters = weight.flatten(1).tolist()
    costs = []
    for i, a in enumerate(filters):
        for b in filters[i + 1 :]:
            cosine = abs(sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b))
            costs.append(max(0.0, cosine - threshold) ** 2)
    counted = [cost for cost in costs if cost > 0]
    return sum(counted) / max(len(counted), 1)


def test_correlation_is_that_of_the_original_on_a_layer_and_leaves_the_gates_out() -> None:
    model = network()
    alone = value(FilterCorrelation(0.1), nn.Sequential(model.conv1)).item()
    assert 10 * alone == pytest.approx(VALUES["reg.hd_conv1_only"], rel=1e-9)
    # The original visits the gate alone, of whose layers one has too few inputs and the other no pair: 0.
    assert VALUES["reg.hd"]["value"] == 0
    layers = [slow_correlation(layer.weight, 0.1) for layer in (model.conv1, model.conv2, model.dw)]
    assert value(FilterCorrelation(0.1), model).item() == pytest.approx(sum(layers) / 3, rel=1e-9)
    with torch.no_grad():
        model.gate.fc1.weight.fill_(1)
    assert value(FilterCorrelation(0.1), model).item() == pytest.approx(sum(layers) / 3, rel=1e-9)


LOSSES = [FilterOrthogonality(), FilterNorms(1.0), FilterCorrelation(0.0)]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_only_layers_that_learn_count(loss: nn.Module) -> None:
    model = network()
    for layer in (model.conv1, model.conv2, model.gate):
        layer.requires_grad_(False)
    alone = value(loss, nn.Sequential(model.dw, model.bn2)).item()
    assert alone > 0
    assert value(loss, model).item() == pytest.approx(alone)
    model.requires_grad_(False)
    assert value(loss, model).item() == 0


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_gradients_are_those_of_finite_differences(loss: nn.Module) -> None:
    model = network()
    weight = model.conv2.weight
    (gradient,) = torch.autograd.grad(value(loss, model), weight)
    direction = torch.randn(weight.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    sides = []
    for step in (1e-6, -2e-6):
        with torch.no_grad():
            weight.add_(step * direction)
            sides.append(value(loss, model).item())
    assert (gradient * direction).sum().item() == pytest.approx((sides[0] - sides[1]) / 2e-6, rel=1e-4)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_a_whole_network_has_finite_gradients_and_stays_as_it_was(loss: nn.Module) -> None:
    torch.manual_seed(0)
    model = models.build(Spec(name="fpn_osnet_x0_25"), image_size=(64, 32))
    before = {name: item.clone() for name, item in model.state_dict().items()}
    found = loss(torch.zeros(1, 2), torch.zeros(1, dtype=torch.int64), model=model)
    found.backward()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert all(torch.equal(item, before[name]) for name, item in model.state_dict().items())
    assert list(loss.state_dict()) == []
