"""Every registered part keeps the contract of its kind; whoever adds one gets these tests."""

from pathlib import Path

import pytest
import torch

from reidctl.registry import datasets as data_sets
from reidctl.registry import losses, models, transforms
from reidctl.testing import check_dataset, check_loss, check_model, check_transform
from reidctl.types import Spec

SIZE = (128, 64)


@pytest.mark.parametrize("name", models.names())
def test_every_model_keeps_the_contract(name: str) -> None:
    torch.manual_seed(0)
    check_model(models.build(Spec(name=name), image_size=SIZE), SIZE)


@pytest.mark.parametrize("name", losses.names())
def test_every_loss_keeps_the_contract(name: str) -> None:
    torch.manual_seed(0)
    check_loss(losses.build(Spec(name=name), embedding_dim=8, num_classes=4))


@pytest.mark.parametrize("name", transforms.names())
def test_every_transform_keeps_the_contract(name: str) -> None:
    check_transform(transforms.build(Spec(name=name), image_size=SIZE))


def test_the_synthetic_data_set_keeps_the_contract(tmp_path: Path) -> None:
    check_dataset(data_sets.build(Spec(name="synthetic"), root=tmp_path))


class Forgetful(torch.nn.Module):
    """A loss that breaks each sentence of its contract on demand."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault, self.calls = fault, 0

    def forward(self, embeddings: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        match self.fault:
            case "shape":
                return embeddings.square().sum(dim=1)
            case "finite":
                return embeddings.sum() * torch.inf
            case "memory":
                return embeddings.square().mean() / self.calls
            case _:
                return embeddings.detach().square().mean().requires_grad_()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("shape", "no scalar"),
        ("finite", "not finite"),
        ("memory", "changed after seeing another batch"),
        ("detached", "no gradient"),
    ],
)
def test_a_loss_that_breaks_the_contract_is_told_how(fault: str, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        check_loss(Forgetful(fault))


class Loose(torch.nn.Module):
    """A model that breaks each sentence of its contract on demand."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault
        if fault != "dimension":
            self.embedding_dim = 5 if fault == "shape" else 3
        self.scale = torch.nn.Parameter(torch.ones(3))
        self.idle = torch.nn.Parameter(torch.ones(1), requires_grad=fault == "idle")

    def feature_maps(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean(dim=(2, 3)) if self.fault == "maps" else images

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        embeddings = images.mean(dim=(2, 3)) * self.scale
        match self.fault:
            case "random":
                return embeddings + torch.rand(3)
            case "batch":
                return embeddings - embeddings.mean(dim=0)
            case "nan":
                return embeddings * torch.nan
            case _:
                return embeddings


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("dimension", "embedding_dim"),
        ("shape", "not \\(4, 5\\)"),
        ("nan", "not finite"),
        ("idle", "no gradient reaches idle"),
        ("random", "two answers"),
        ("batch", "depends on its batch"),
        ("maps", "feature_maps"),
    ],
)
def test_a_model_that_breaks_the_contract_is_told_how(fault: str, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        check_model(Loose(fault), (8, 4))


def test_a_model_that_keeps_the_contract_passes() -> None:
    check_model(Loose("none"), (8, 4))
