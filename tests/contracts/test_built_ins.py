"""Every built-in part keeps the contract of its kind; whoever adds one gets these tests."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from reidctl.config import load_config
from reidctl.errors import ConfigError, InputError
from reidctl.export import export_onnx
from reidctl.registry import Registry, batch_transforms, losses, models, transforms
from reidctl.registry import datasets as data_sets
from reidctl.runtimes import open_embedder
from reidctl.testing import (
    check_batch_transform,
    check_dataset,
    check_export,
    check_loss,
    check_model,
    check_runtime,
    check_transform,
)
from reidctl.training.checkpoint import Checkpoint, build_model, describe, load_checkpoint, save_checkpoint
from reidctl.types import ArtefactInfo, ImageSpec, Mixed, ReidData, Sample, Spec
from tests.runtimes.artefacts import Real

SIZE = (128, 64)
SAMPLES = tuple(Sample(partial(Image.new, "RGB", (30, 70), color), color, 0, 0) for color in ("red", "green"))


def _ours(registry: Registry) -> list[str]:
    """Other packages may be installed here and have tests of their own; the members of families are too many."""
    return [entry.name for entry in registry.entries if entry.package == "reidctl" and not entry.is_family]


MODELS = _ours(models)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_keeps_the_contract(name: str) -> None:
    torch.manual_seed(0)
    check_model(models.build(Spec(name=name), image_size=SIZE), SIZE)


@pytest.mark.slow  # The network that is exported once for all tests of artefacts is of these layers.
@pytest.mark.parametrize("name", MODELS)
def test_every_model_becomes_an_onnx_file_that_openvino_computes_alike(name: str, tmp_path: Path) -> None:
    config = load_config(sets=[f"model={name}", f"data.image.height={SIZE[0]}", f"data.image.width={SIZE[1]}"]).config
    torch.manual_seed(0)
    model = build_model(config)
    checkpoint = Checkpoint(tmp_path / name, config, describe(model, config), model.state_dict())
    exported = export_onnx(checkpoint, tmp_path / "model.onnx")
    assert open_embedder(exported).info.embedding_dim == model.embedding_dim


@pytest.mark.parametrize("name", MODELS)
def test_the_weights_of_every_model_are_the_same_network_when_read_back(name: str, tmp_path: Path) -> None:
    config = load_config(sets=[f"model={name}", f"data.image.height={SIZE[0]}", f"data.image.width={SIZE[1]}"]).config
    torch.manual_seed(0)
    model = build_model(config).eval()
    # Statistics that a network is made with would be there without having been read.
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, std=0.1)
    save_checkpoint(tmp_path / "net.safetensors", model, config, describe(model, config))
    found = load_checkpoint(tmp_path / "net.safetensors").build()
    images = torch.randn(2, 3, *SIZE)
    with torch.no_grad():
        assert torch.equal(found(images), model(images))


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_of_every_model_learns(name: str) -> None:
    idle: set[str] | None = None
    # The few hidden channels of a narrow gate can all start out dead, so one draw of the weights is not enough.
    for seed in range(8):
        torch.manual_seed(seed)
        model = models.build(Spec(name=name), image_size=SIZE)
        model(torch.randn(4, 3, *SIZE)).square().sum().backward()
        still = {key for key, value in model.named_parameters() if value.grad is None or not value.grad.any()}
        idle = still if idle is None else idle & still
        if not idle:
            break
    assert not idle


@pytest.mark.parametrize("name", _ours(losses))
def test_every_loss_keeps_the_contract(name: str) -> None:
    torch.manual_seed(0)
    given = {"embedding_dim": 8, "num_classes": 4, "class_counts": torch.arange(1, 5), "teacher_dim": 6}
    check_loss(losses.build(Spec(name=name), **given))


@pytest.mark.parametrize("name", _ours(transforms))
def test_every_transform_keeps_the_contract(name: str) -> None:
    check_transform(transforms.build(Spec(name=name), image_size=SIZE, samples=SAMPLES))


@pytest.mark.parametrize("name", _ours(batch_transforms))
def test_every_batch_transform_keeps_the_contract(name: str) -> None:
    check_batch_transform(batch_transforms.build(Spec(name=name)))


def test_the_synthetic_data_set_keeps_the_contract(tmp_path: Path) -> None:
    check_dataset(data_sets.build(Spec(name="synthetic"), root=tmp_path))


def test_a_data_set_that_breaks_the_contract_is_told_how() -> None:
    query, match = (Sample(partial(Image.new, "RGB", (8, 8)), name, 7, camera) for name, camera in (("a", 0), ("b", 1)))
    check_dataset(ReidData("fine", query=(query,), gallery=(match,)))
    with pytest.raises(AssertionError, match="a list, not a ReidData"):
        check_dataset([query, match])
    with pytest.raises(AssertionError, match="names are not unique"):
        check_dataset(ReidData("twice", query=(query,), gallery=(match, match)))
    with pytest.raises(AssertionError, match="no query has a match from another camera"):
        check_dataset(ReidData("alone", query=(query,), gallery=(query,)))
    missing = Sample(Path("no/such.jpg"), "c", 0, 0)
    with pytest.raises(InputError, match=r"no/such\.jpg"):
        check_dataset(ReidData("gone", train=(missing,)))


@pytest.mark.slow  # Each model is exported above in the same way.
def test_a_model_of_ours_is_exported() -> None:
    check_export("fpn_osnet_x0_25", (64, 32), embedding_dim=8)


def test_parameters_are_checked_before_an_export() -> None:
    with pytest.raises(ConfigError, match="no_such_key"):
        check_export("fpn_osnet_x0_25", (64, 32), no_such_key=1)


@pytest.mark.parametrize("artefact", ["checkpoint", "onnx"])
def test_our_runtimes_keep_the_contract(artefact: str, real: Real) -> None:
    check_runtime(open_embedder(getattr(real, artefact)).runtime)


class Opened:
    """A runtime that breaks each sentence of its contract on demand."""

    def __init__(self, fault: str) -> None:
        self.fault, self.calls = fault, 0
        if fault != "info":
            self.info = ArtefactInfo(model="opened", image=ImageSpec(height=16, width=16), embedding_dim=3)

    def embed_batch(self, images: np.ndarray) -> object:
        self.calls += 1
        vectors = images.mean(axis=(1, 2), dtype=np.float32)
        if self.fault == "changed":
            images[:] = 0
        found = {
            "list": vectors.tolist(),
            "shape": vectors[:, :2],
            "type": vectors.astype(np.float64),
            "finite": vectors * np.float32(np.nan),
            "random": vectors + np.float32(self.calls),
            "batch": vectors + np.float32(len(images)),
            "constant": np.ones_like(vectors),
        }
        return found.get(self.fault, vectors)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("info", "not an ArtefactInfo"),
        ("list", "are a list, not an array"),
        ("shape", r"shape \(3, 2\), not \(3, 3\)"),
        ("type", "float64, not float32"),
        ("finite", "not finite"),
        ("changed", "changed the images"),
        ("random", "two embeddings"),
        ("batch", "depends on its batch"),
        ("constant", "different images have one embedding"),
    ],
)
def test_a_runtime_that_breaks_the_contract_is_told_how(fault: str, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        check_runtime(Opened(fault))


def test_a_runtime_that_keeps_the_contract_passes() -> None:
    check_runtime(Opened("none"))


class Forgetful(torch.nn.Module):
    """A loss that breaks each sentence of its contract on demand."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault, self.calls = fault, 0
        self.register_buffer("seen", torch.zeros(()))
        self.weight = torch.arange(5.0)[:, None]

    def forward(self, embeddings: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        match self.fault:
            case "shape":
                return embeddings.square().sum(dim=1)
            case "finite":
                return embeddings.sum() * torch.inf
            case "memory":
                return embeddings.square().mean() / self.calls
            case "state":
                self.seen += 1
                return embeddings.square().mean()
            case "order":
                return embeddings[0].square().mean()
            case "label":
                return (embeddings * self.weight[labels]).sum()
            case "one identity":
                return embeddings.square().mean() / (labels != labels.min()).sum()
            case "equal":
                return ((embeddings - embeddings.mean(dim=0)).square().mean() + (len(embeddings) == 1)).sqrt()
            case _:
                return embeddings.detach().square().mean().requires_grad_()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("shape", "no scalar"),
        ("finite", "not finite"),
        ("memory", "changed after seeing another batch"),
        ("state", "a call changed the state"),
        ("order", "depends on the order"),
        ("label", "label -1 is no class and no error"),
        ("one identity", "of one identity is not finite"),
        ("equal", "gradient of a batch of equal embeddings is not finite"),
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


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("shape", "the images have shape"),
        ("nan", "not finite"),
        ("length", "the partners have shape"),
        ("label", "none of the batch"),
        ("share", "the share is 2"),
        ("random", "two batches"),
        ("changed", "changed what it was given"),
    ],
)
def test_a_batch_transform_that_breaks_the_contract_is_told_how(fault: str, words: str) -> None:
    calls = []

    def broken(images: torch.Tensor, labels: torch.Tensor) -> Mixed:
        calls.append(fault)
        found = {
            "shape": Mixed(images[:, :1], labels, 1.0),
            "nan": Mixed(images / 0 * 0, labels, 1.0),
            "length": Mixed(images, labels[:1], 1.0),
            "label": Mixed(images, labels + 1, 1.0),
            "share": Mixed(images, labels, 2.0),
            "random": Mixed(images + len(calls), labels, 1.0),
        }
        return found[fault] if fault in found else Mixed(images.zero_(), labels, 1.0)

    with pytest.raises(AssertionError, match=words):
        check_batch_transform(broken)
