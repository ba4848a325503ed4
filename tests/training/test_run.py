"""One step at a time."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from reidctl.config import LossSpec, load_config
from reidctl.data.loader import Batch
from reidctl.errors import ConfigError
from reidctl.registry import losses, models
from reidctl.training import train
from reidctl.training.processes import Processes
from reidctl.training.run import Run, computing
from tests.training.stand_ins import register, tiny_config

PLAIN: dict[str, Any] = {
    "model": {"name": "plain"},
    "train_optimizer": "sgd",
    "train_momentum": 0.0,
    "train_weight_decay": 0.0,
    "train_channels_last": False,
}


class Plain(nn.Module):
    """No norm and no dropout: what it learns of a batch is the mean over its images."""

    def __init__(self, *, image_size: tuple[int, int]) -> None:
        super().__init__()
        self.embedding_dim = 4
        self.stem = nn.Conv2d(3, 4, 8, stride=8)
        self.fc = nn.Linear(4, 4)

    def feature_maps(self, images: Tensor) -> Tensor:
        maps: Tensor = self.stem(images)
        return maps

    def forward(self, images: Tensor) -> Tensor:
        embeddings: Tensor = self.fc(self.feature_maps(images).mean((2, 3)))
        return embeddings


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, models, "plain", Plain)


def _weights(run: Run) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in [*run.model.named_parameters(), *run.losses.named_parameters()]}


def _first(run: Run, count: int) -> list[Batch]:
    return [batch for batch, _ in zip(run.batches.epoch(0), range(count), strict=False)]


def _joined(batches: list[Batch]) -> Batch:
    images, labels = torch.cat([b.images for b in batches]), torch.cat([b.labels for b in batches])
    return Batch(images, labels, [index for batch in batches for index in batch.indices])


@pytest.mark.parametrize("share", [0.1, 1.0])
def test_rates_for_trained_layers_without_trained_weights_are_told(
    runs: Path, share: float, caplog: pytest.LogCaptureFixture
) -> None:
    Run(tiny_config(runs, train_base_lr_mult=share))
    assert ("train.base_lr_mult 0.1 is for trained weights: none are given" in caplog.text) == (share < 1)


@pytest.mark.parametrize("rho", [None, 0.05])
def test_accumulated_batches_are_one_large_batch_where_losses_are_means(runs: Path, rho: float | None) -> None:
    config = tiny_config(runs, **PLAIN, train_accumulate=3, train_clip_norm=0.1, train_sam_rho=rho)
    several, one = Run(config), Run(config)
    batches = _first(several, 3)
    values = several.step(batches, 0, 0, 1, 0.5)
    torch.testing.assert_close(values, one.step([_joined(batches)], 0, 0, 1, 0.5))
    for (name, found), expected in zip(_weights(several).items(), _weights(one).values(), strict=True):
        torch.testing.assert_close(found, expected, msg=name)


def test_an_epoch_has_a_step_for_every_so_many_batches_and_one_for_the_rest(runs: Path) -> None:
    batches = Run(tiny_config(runs)).batches.steps(0)
    assert batches > 2
    assert Run(tiny_config(runs, train_accumulate=batches - 1)).steps(0) == 2
    assert Run(tiny_config(runs, train_accumulate=batches + 5)).steps(0) == 1


def test_a_sharpness_aware_step_takes_the_gradient_of_the_peak(runs: Path) -> None:
    rate, rho = 0.1, 0.5
    run, other = Run(tiny_config(runs, **PLAIN, train_sam_rho=rho)), Run(tiny_config(runs, **PLAIN))
    batches = _first(run, 1)
    before = _weights(run)
    run.step(batches, 0, 0, 1, rate)

    # The same by hand: a step of rate 0 for the gradient, the weights moved along it, its gradient again.
    other.step(batches, 0, 0, 1, 0.0)
    gradients = [parameter.grad.clone() for parameter in other.parameters]
    norm = sum(gradient.square().sum() for gradient in gradients).sqrt()
    with torch.no_grad():
        for parameter, gradient in zip(other.parameters, gradients, strict=True):
            parameter += rho * gradient / norm
    other.step(batches, 0, 0, 1, 0.0)
    for (name, found), parameter in zip(_weights(run).items(), other.parameters, strict=True):
        torch.testing.assert_close(found, before[name] - rate * parameter.grad, msg=name)


def test_staged_layers_learn_at_their_share_of_the_rate(runs: Path) -> None:
    staged = Run(tiny_config(runs, **PLAIN, train_base_lr_mult=0.1, train_new_layers=("fc",)))
    plain = Run(tiny_config(runs, **PLAIN))
    batches = _first(plain, 1)
    before = _weights(plain)
    staged.step(batches, 0, 0, 1, 0.5)
    plain.step(batches, 0, 0, 1, 0.5)
    full, found = _weights(plain), _weights(staged)
    for name, value in before.items():
        share = 0.1 if name.startswith("stem") else 1.0
        torch.testing.assert_close(found[name] - value, share * (full[name] - value), atol=1e-6, rtol=1e-3, msg=name)


def test_an_unknown_new_layer_is_refused_with_its_key(runs: Path) -> None:
    with pytest.raises(ConfigError, match=r"train\.new_layers: the model has no layer 'fcc'") as caught:
        Run(tiny_config(runs, train_base_lr_mult=0.1, train_new_layers=("fcc",)))
    assert caught.value.hint == "did you mean 'fc'?"


@pytest.mark.parametrize("precision", ["bf16", "f16"])
def test_lower_precision_steps_are_nearly_those_of_f32(runs: Path, precision: str) -> None:
    lower, full = Run(tiny_config(runs, **PLAIN, train_precision=precision)), Run(tiny_config(runs, **PLAIN))
    batches = _first(full, 1)
    before = _weights(full)
    losses = [run.step(batches, 0, 0, 1, 0.5)[0].item() for run in (lower, full)]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    for (name, found), expected in zip(_weights(lower).items(), _weights(full).values(), strict=True):
        assert found.dtype == torch.float32
        moved = (expected - before[name]).norm()
        assert (found - expected).norm() < 0.1 * moved + 1e-6, name


def test_a_run_keeps_the_precision_that_auto_came_to(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reidctl.training.device.computes_bf16", lambda device: True)
    found = train(tiny_config(runs, train_precision="auto", train_epochs=1, data_targets=()))
    assert found.config.train.precision == "bf16"
    monkeypatch.setattr("reidctl.training.device.computes_bf16", lambda device: False)
    config = load_config(files=[runs / "tiny" / "config.yaml"], sets=["train.epochs=2"]).config
    assert train(config, resume=runs / "tiny").config.train.precision == "bf16"
    assert Run(tiny_config(runs, train_precision="auto")).config.train.precision == "f32"


def test_a_step_whose_scaled_gradient_overflows_changes_nothing_and_the_scale_falls(runs: Path) -> None:
    run = Run(tiny_config(runs, **PLAIN, train_precision="f16", losses=(LossSpec(name="norms"),)))
    run.scaler = torch.amp.GradScaler("cpu", init_scale=1e38)
    before = _weights(run)
    run.step(_first(run, 1), 0, 0, 1, 0.5)
    assert all(torch.equal(value, before[name]) for name, value in _weights(run).items())
    assert run.scaler.get_scale() == pytest.approx(5e37)


class Double(nn.Module):
    """Computes in float64."""

    def __init__(self) -> None:
        super().__init__()

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return embeddings.double().square().mean()


def test_a_loss_may_be_wider_than_f32(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, losses, "double", Double)
    found = []
    for name in ("double", "norms"):
        run = Run(tiny_config(runs, **PLAIN, losses=(LossSpec(name="linear"), LossSpec(name=name, weight=0.5))))
        values = run.step(_first(run, 1), 0, 0, 1, 0.5)
        found.append({"values": values.float(), **_weights(run)})
    torch.testing.assert_close(found[0], found[1])


class Copies(TorchFunctionMode):
    """Notes what of a step would wait for a GPU: values of Python made into tensors there, copies that block."""

    def __init__(self) -> None:
        super().__init__()
        self.blocking: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        copied = func is Tensor.to and any(isinstance(each, torch.device) for each in args)
        if func is Tensor.new_tensor or (copied and not kwargs.get("non_blocking")):
            self.blocking.append(func.__name__)
        return func(*args, **kwargs)


def test_a_step_asks_for_nothing_that_a_gpu_would_be_waited_for(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Processes, "gather", lambda self, rows: torch.cat([rows] * self.size))
    monkeypatch.setattr(Processes, "average", lambda *_: None)
    monkeypatch.setattr(Processes, "on_first", lambda _, do: do())
    run = Run(tiny_config(runs, **PLAIN, losses=(LossSpec(name="norms"),)), processes=Processes(0, 2))
    batches = _first(run, 1)
    with Copies() as copies:
        run.step(batches, 0, 0, 1, 0.5)
    assert copies.blocking == []


def test_a_run_computes_on_the_gpu_of_its_number(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers: list[int] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "device", lambda number: [nullcontext(), numbers.append(number)][0])
    with computing(tiny_config(runs, device="cuda:1")):
        assert numbers == [1]


def test_a_weight_that_is_not_finite_is_named(runs: Path) -> None:
    run = Run(tiny_config(runs))
    assert run.not_finite() is None
    run.losses[0].classifier.bias.data[1] = torch.nan
    assert run.not_finite() == "losses.0.classifier.bias"
    run.model.stem[1].running_var[0] = torch.inf
    assert run.not_finite() == "stem.1.running_var"
