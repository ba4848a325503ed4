"""What holds of every loss of ours, with its defaults and with all its options."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from reidctl.errors import InputError
from reidctl.registry import losses
from reidctl.testing import check_loss
from reidctl.types import Spec
from reidctl.validation import given_names

OURS = [entry.name for entry in losses.entries if entry.package == "reidctl"]
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "am_softmax": [
        {"margin_type": "arc", "adaptive_margins": True, "pr_product": True},
        {"label_smoothing": 0.1, "confidence_penalty": 0.3, "class_weighting": True},
        {"focal_gamma": 0.5, "symmetric": 1.0, "scale_schedule": {"end": 5.0, "epochs": 10.0}},
    ],
    "arcface": [{"sub_centers": 3, "label_smoothing": 0.1}],
    "circle_softmax": [{"label_smoothing": 0.1}],
    "cosine_triplet": [{"mining": "distance_weighted"}],
    "distill_relations": [{"angle": 0.0}, {"distance": 0.0}],
    "local_push": [{"smart_margin": False}],
    "metric": [{"balance": False}, {"center": 0.0, "smart_margin": False}, {"triplet": 0.0, "local_push": 0.0}],
    "softmax": [{"label_smoothing": 0.1, "confidence_penalty": 0.3}],
    "triplet": [{"normalize": True}],
}
SPECS = [Spec(name=name, **options) for name in OURS for options in [{}, *OPTIONS.get(name, [])]]
ON_ALL = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: " ".join(map(str, [spec.name, *spec.parameters])))
LABELS = torch.tensor([0, 0, 3, 3, 1, 1, 1, 2])


def build(spec: Spec) -> nn.Module:
    torch.manual_seed(0)
    counts = torch.tensor([3, 1, 20, 7])
    loss: nn.Module = losses.build(spec, embedding_dim=8, num_classes=4, class_counts=counts, teacher_dim=6)
    return loss


def asked(loss: nn.Module, dtype: torch.dtype = torch.float32, size: int = 8) -> dict[str, Any]:
    """What a training run gives the loss, if it asks."""
    generator = torch.Generator().manual_seed(1)
    cosines = torch.rand(size, 4, generator=generator, dtype=dtype) * 2 - 1
    model = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.Conv2d(6, 4, 1))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    given = {
        "epoch": 2.5,
        "model": model,
        "indices": torch.arange(size) // 2,
        "logits": 5 * cosines,
        "cosines": cosines,
        "teacher": torch.randn(size, 6, generator=generator, dtype=dtype),
        "peers": [torch.randn(size, width, generator=generator, dtype=dtype) for width in (3, 8)],
        "peer_logits": [torch.randn(size, 4, generator=generator, dtype=dtype) for _ in range(2)],
    }
    return {name: given[name] for name in given_names(loss.forward)}


def embeddings(dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(8, 8, generator=torch.Generator().manual_seed(2), dtype=dtype)


def test_the_losses_were_found() -> None:
    assert len(OURS) >= 14
    assert OPTIONS.keys() <= set(OURS)


@ON_ALL
def test_it_keeps_the_contract(spec: Spec) -> None:
    check_loss(build(spec))


@ON_ALL
def test_a_label_out_of_range_is_an_error_or_of_no_account(spec: Spec) -> None:
    loss = build(spec)
    given = asked(loss)
    expected = loss(embeddings(), LABELS, **given)
    for labels in (LABELS - 1, LABELS + 1):
        refused = False
        try:
            found = loss(embeddings(), labels, **given)
        except InputError:
            refused = True
        assert refused or torch.allclose(found, expected)
        assert refused or spec.name not in ("am_softmax", "arcface", "center", "circle_softmax", "softmax")


@ON_ALL
def test_an_empty_batch_costs_nothing(spec: Spec) -> None:
    loss = build(spec)
    given = asked(loss, size=0)
    if "model" in given:
        pytest.skip("its value is that of the network")
    assert loss(torch.empty(0, 8), torch.empty(0, dtype=torch.int64), **given).item() == 0


@ON_ALL
def test_embeddings_of_zero_have_finite_gradients(spec: Spec) -> None:
    loss = build(spec)
    rows = torch.zeros(8, 8, requires_grad=True)
    given = asked(loss)
    value = loss(rows, LABELS, **given)
    assert value.isfinite()
    if not {"model", "logits"} & given.keys():
        value.backward()
        assert rows.grad is not None
        assert rows.grad.isfinite().all()


@ON_ALL
def test_arithmetic_is_float32_or_what_is_wider(spec: Spec) -> None:
    loss = build(spec)
    plain = loss(embeddings(), LABELS, **asked(loss))
    assert plain.dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(loss(embeddings(), LABELS, **asked(loss)), plain)
        half = loss(embeddings().bfloat16(), LABELS, **asked(loss))
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, loss(embeddings().bfloat16().float(), LABELS, **asked(loss)))
    wide = asked(loss, torch.float64)
    if "model" in wide:
        wide["model"].double()
    exact = loss(embeddings(torch.float64), LABELS, **wide)
    assert exact.dtype == torch.float64


@ON_ALL
def test_it_compiles_as_one_graph(spec: Spec) -> None:
    loss = build(spec)
    given = asked(loss)
    torch.compiler.reset()
    compiled = torch.compile(loss, fullgraph=True, backend="eager")
    rows, again = (embeddings().requires_grad_() for _ in range(2))
    value, expected = compiled(rows, LABELS, **given), loss(again, LABELS, **given)
    torch.testing.assert_close(value, expected)
    if not {"model", "logits"} & given.keys():
        value.backward()
        expected.backward()
        torch.testing.assert_close(rows.grad, again.grad)


@ON_ALL
def test_it_can_be_pickled_and_its_state_holds_what_it_learns_alone(spec: Spec) -> None:
    loss = build(spec)
    copy = pickle.loads(pickle.dumps(loss))
    given = asked(loss)
    assert torch.equal(copy(embeddings(), LABELS, **given), loss(embeddings(), LABELS, **given))
    assert set(loss.state_dict()) == {name for name, _ in loss.named_parameters()}
