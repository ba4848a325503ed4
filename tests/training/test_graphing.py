from __future__ import annotations

import logging

import pytest
import torch
from torch import Tensor, nn

from reidctl.config import load_config
from reidctl.config.schema import TrainConfig
from reidctl.training.compiling import forward_of
from reidctl.training.device import seed_step, whole_mantissas
from reidctl.training.freezing import only_open
from reidctl.training.graphing import Graphed, is_recorded
from reidctl.training.run import Run, computing

STEPS, RATE = 4, 1e-6
NETWORK = {"plain": "", "dropout": ", dropout: {distribution: gaussian}"}


def test_a_gpu_launches_recordings_where_they_are_wanted() -> None:
    model, gpu = nn.Linear(2, 2), torch.device("cuda")
    assert is_recorded(TrainConfig(cuda_graphs=True), gpu, shared_norms=False)
    assert not is_recorded(TrainConfig(cuda_graphs=True), torch.device("cpu"), shared_norms=False)
    assert not is_recorded(TrainConfig(), gpu, shared_norms=False)
    assert isinstance(forward_of(model, gpu, wanted=False, worth_it=False, graphs=True), Graphed)
    assert forward_of(model, gpu, wanted=False, worth_it=False, graphs=False) is model


@pytest.mark.parametrize(
    ("batches", "shared_norms", "key"), [(2, False, "train.accumulate"), (1, True, "train.sync_norms")]
)
def test_what_no_recording_does_is_said_not_to_be_recorded(
    batches: int, shared_norms: bool, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    config = TrainConfig(cuda_graphs=True, accumulate=batches)
    assert not is_recorded(config, torch.device("cuda"), shared_norms=shared_norms)
    assert f"train.cuda_graphs: not with {key}" in caplog.text


def test_a_network_is_recorded_again_when_batches_or_layers_change_and_walked_through_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorded: list[torch.Size] = []
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout())
    monkeypatch.setattr(Graphed, "_recorded", lambda _, images: [model, recorded.append(images.shape)][0])
    forward = Graphed(model)
    monkeypatch.delattr(nn.Module, "named_modules")
    for rows in (4, 4, 2, 2):
        forward(torch.zeros(rows, 3))
    assert len(recorded) == 2
    model[1].training = False
    for _ in range(2):
        forward(torch.zeros(2, 3))
    assert len(recorded) == 3
    model[0].bias.requires_grad = False
    for _ in range(2):
        forward(torch.zeros(2, 3))
    assert len(recorded) == 4


@pytest.mark.gpu
@pytest.mark.parametrize("options", NETWORK.values(), ids=NETWORK)
@pytest.mark.parametrize(("precision", "largest", "away"), [("f32", 1e-3, 0.5), ("bf16", 5e-2, 1.0)])
def test_a_recording_teaches_what_the_network_would_have_learned(
    precision: str, largest: float, away: float, options: str
) -> None:
    (plain, update), (recorded, again) = (trained(precision, options, graphs=graphs) for graphs in (False, True))
    assert plain.keys() == recorded.keys()
    for name, expected in plain.items():
        apart = torch.linalg.vector_norm((recorded[name] - expected).double())
        assert apart <= largest * torch.linalg.vector_norm(expected.double()).clamp_min(1), name
    # A step that taught nothing would be 1 away, one that has nothing to do with the other 1.4.
    assert torch.linalg.vector_norm(again - update) < away * torch.linalg.vector_norm(update)


def trained(precision: str, options: str, *, graphs: bool) -> tuple[dict[str, Tensor], Tensor]:
    """Losses, weights and statistics after some steps, the first of which only the head takes, and what weights gained.

    Steps are tiny: an untrained network's gradients are so steep that a difference of 1e-7 in its maps, such as
    between two algorithms of a convolution, is one of a third in its weights after four steps at a usual rate, and of
    a thirtieth in what they gained at this one.
    """
    sets = [
        "data.sources=[{name: synthetic, train_identities: 8}]",
        "data.targets=[]",
        "data.workers=0",
        "data.image={height: 64, width: 32}",
        f"model={{name: fpn_osnet_x0_25, pooling: conv, input_norm: true{options}}}",
        "train.batch_size=16",
        "train.fixbase_epochs=0",
        "train.optimizer=sgd",
        f"train.precision={precision}",
        "train.compile=false",
        f"train.cuda_graphs={str(graphs).lower()}",
        "device=cuda",
    ]
    config = load_config("retail-0248", sets=sets).config
    with computing(config) as processes, whole_mantissas():
        run = Run(config, processes=processes)
        before = {name: value.clone() for name, value in run.model.named_parameters()}
        batches = list(run.batches.epoch(0))
        found = {}
        with only_open(run.model, ["fc"]):
            found["first loss"] = run.step([batches[0]], 0, 0, STEPS, RATE)
        for step in range(1, STEPS):
            found[f"loss {step}"] = run.step([batches[step % len(batches)]], 0, step, STEPS, RATE)
        run.batches.close()
    gained = [(value - before[name]).detach().double().flatten() for name, value in run.model.named_parameters()]
    given = {**found, **run.model.state_dict()}
    return {name: value.cpu() for name, value in given.items()}, torch.cat(gained).cpu()


class Asking(nn.Module):
    """Python looks at numbers of its images, which no recording can."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)

    def forward(self, images: Tensor) -> Tensor:
        rows: Tensor = self.norm(images)
        return rows * 2 if rows.sum().item() > 0 else rows


@pytest.mark.gpu
def test_a_network_that_cannot_be_recorded_runs_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    images = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).cuda()
    with caplog.at_level(logging.WARNING):
        forward = Graphed(Asking().cuda())
        found = [forward(images) for _ in range(2)]
    assert "Asking cannot be recorded" in caplog.text
    assert len(caplog.records) == 1
    torch.testing.assert_close(found[0], Asking().cuda()(images))
    torch.testing.assert_close(found[1], found[0])
    assert torch.rand(1, device="cuda") != torch.rand(1, device="cuda")


@pytest.mark.gpu
def test_recording_leaves_statistics_and_random_states_as_they_were() -> None:
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5)).cuda()
    images = torch.ones(64, 3).cuda()
    seed_step(3)
    expected = nn.functional.dropout(model[0](images), 0.5)
    kept, batches = model[0].running_mean.clone(), model[0].num_batches_tracked.clone()
    model[0].reset_running_stats()
    seed_step(3)
    found = Graphed(model)(images)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(model[0].running_mean, kept)
    torch.testing.assert_close(model[0].num_batches_tracked, batches)
