"""Three steps of the original toolkit, number for number: network, loss, optimizer and frozen stage together."""

import json
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch

from reidctl.config.schema import TrainConfig
from reidctl.registry import losses, models
from reidctl.training.freezing import only_open
from reidctl.training.optimizers import build_optimizer
from reidctl.types import Spec
from tests.parity.fillrule import fill_value, fixed_input

PARITY = Path(__file__).parents[1] / "parity"
RESULTS = json.loads((PARITY / "train_step.json").read_text())["results"]
LABELS = [0, 0, 3, 3, 7, 7, 19, 19]
OPEN = ("fc", "global_avgpool")
CLASSES = "classifier.weight"
PRESETS = {
    "0248": ("fpn_osnet_x0_25", False, 0.0),
    "0267": ("fpn_osnet_x0_5", True, 0.1),
}


def _filled(module: torch.nn.Module) -> torch.nn.Module:
    state = {name: fill_value(name, tuple(value.shape), value.dtype) for name, value in module.state_dict().items()}
    module.load_state_dict({name: torch.as_tensor(value) for name, value in state.items()})
    return module.double()


CASES = [pytest.param(case, marks=[pytest.mark.slow] if case == "0267.all" else []) for case in RESULTS]


@pytest.mark.parametrize("case", CASES)
def test_three_steps_are_the_original_ones(case: str) -> None:
    preset, stage = case.split(".")
    name, gates, smoothing = PRESETS[preset]
    model = _filled(models.build(Spec(name=name, lct_gate=gates), image_size=(256, 128)))
    spec = Spec(name="am_softmax", confidence_penalty=0.3, pr_product=True, label_smoothing=smoothing)
    loss = _filled(losses.build(spec, embedding_dim=256, num_classes=20))
    parameters = {**dict(model.named_parameters()), **dict(loss.named_parameters())}
    optimizer = build_optimizer(TrainConfig(optimizer="amsgrad"), parameters.values())
    images, labels = torch.from_numpy(fixed_input(8, seed=20240602)[1]), torch.tensor(LABELS)

    expected, found = RESULTS[case], []
    before = {key: value.detach().clone() for key, value in parameters.items()}
    with only_open(model, OPEN) if stage == "fixbase" else nullcontext():
        for step in range(3):
            total = loss(model(images), labels)
            optimizer.zero_grad()
            total.backward()
            if step == 0:
                norms = {k: None if p.grad is None else p.grad.norm().item() for k, p in parameters.items()}
            optimizer.step()
            if step == 0:
                changes = {key: (value - before[key]).norm().item() for key, value in parameters.items()}
            found.append(total.item())

    assert found == pytest.approx(expected["losses"], rel=1e-6 if smoothing else 1e-9)
    _compare(norms, expected["grad_norm_step0"])
    _compare(changes, expected["param_change_norm_after_step1"])
    assert {key for key, norm in norms.items() if norm is not None} == set(expected["trainable"])
    model.eval()
    with torch.no_grad():
        embeddings = model(torch.from_numpy(fixed_input(2)[1])).numpy()
    reference = np.load(PARITY / "train_step.npz")[f"{case}.embedding_after_3_steps"]
    np.testing.assert_allclose(embeddings, reference, rtol=1e-5, atol=1e-5)


def _compare(found: dict[str, float | None], expected: dict[str, float | None]) -> None:
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key] == (None if value is None else pytest.approx(value, rel=1e-5, abs=1e-9)), key
