import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from reidctl.losses.softmax import Softmax

PARITY = Path(__file__).parents[1] / "parity"
VALUES = json.loads((PARITY / "losses.json").read_text())["results"]
ARRAYS = np.load(PARITY / "losses.npz")

CASES = {
    "ce.plain": {},
    "ce.smooth": {"label_smoothing": 0.1},
    "ce.conf_penalty_0.085": {"label_smoothing": 0.1, "confidence_penalty": 0.085},
    "ce.conf_penalty_3": {"confidence_penalty": 3.0},
}


def softmax(**parameters: float) -> Softmax:
    return Softmax(**parameters, embedding_dim=6, num_classes=12)


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_are_those_of_the_original(case: str) -> None:
    # The original makes smoothed targets in float32, which moves its float64 results by 3e-7.
    tolerance = 1e-6 if "label_smoothing" in CASES[case] else 1e-9
    logits = torch.tensor(ARRAYS["logits"], requires_grad=True)
    loss = softmax(**CASES[case]).from_logits(logits, torch.tensor(ARRAYS["labels"]))
    loss.backward()
    assert loss.item() == pytest.approx(VALUES[case]["value"], rel=tolerance)
    np.testing.assert_allclose(logits.grad, ARRAYS[f"grad.{case}"], rtol=tolerance, atol=tolerance)


def test_logits_are_not_scaled() -> None:
    loss, embeddings = softmax(), torch.randn(3, 6)
    with torch.no_grad():
        loss.classifier.bias.copy_(torch.arange(12.0))
    expected = [
        [sum(w * x for w, x in zip(row, e, strict=True)) + c for c, row in enumerate(loss.classifier.weight.tolist())]
        for e in embeddings.tolist()
    ]
    torch.testing.assert_close(loss.logits(embeddings), torch.tensor(expected), rtol=1e-5, atol=1e-5)


def test_a_fresh_classifier_is_near_the_uniform_guess() -> None:
    loss = softmax()
    assert loss(torch.randn(64, 6), torch.randint(0, 12, (64,))).item() == pytest.approx(math.log(12), rel=0.01)
    assert not loss.classifier.bias.any()


@pytest.mark.parametrize("penalty", [0.0, 0.3])
def test_an_empty_batch_gives_zero(penalty: float) -> None:
    assert softmax(confidence_penalty=penalty)(torch.empty(0, 6), torch.empty(0, dtype=torch.int64)).item() == 0


def test_bfloat16_autocast_computes_in_float32() -> None:
    loss, embeddings, labels = softmax(), torch.randn(8, 6).bfloat16(), torch.randint(0, 12, (8,))
    expected = loss(embeddings.float(), labels)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = loss(embeddings, labels)
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)


def test_cosines_are_those_to_the_rows_of_the_weight() -> None:
    loss = Softmax(embedding_dim=2, num_classes=3)
    with torch.no_grad():
        loss.classifier.weight.copy_(torch.tensor([[2.0, 0.0], [0.0, -3.0], [3.0, 4.0]]))
        loss.classifier.bias.fill_(9.0)
    torch.testing.assert_close(loss.cosines(torch.tensor([[0.0, 5.0]])), torch.tensor([[0.0, -1.0, 0.8]]))
