"""Contracts of parts, for built-ins and for the tests of plugin packages alike.

Each check raises AssertionError that says which sentence of the contract does not hold.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from reidctl.errors import ReidError
from reidctl.testing.index import check_index, example_embeddings
from reidctl.types import ArtefactInfo, Embedder, ImageSpec, Mixed, ReidData, Spec
from reidctl.validation import given_names

if TYPE_CHECKING:
    from reidctl.training.checkpoint import Checkpoint

__all__ = [
    "check_batch_transform",
    "check_dataset",
    "check_export",
    "check_index",
    "check_loss",
    "check_model",
    "check_runtime",
    "check_transform",
    "example_embeddings",
    "fresh_checkpoint",
    "value_of",
]

Value = Callable[[Tensor, Tensor, Tensor], Tensor]
"""A loss of embeddings [B, D], labels [B] and indices [B]."""


def check_model(model: nn.Module, image_size: tuple[int, int] = (256, 128)) -> None:
    """A model gives finite embeddings [B, D] in train and eval, the same each time in eval, and learns everywhere."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(4, 3, *image_size, generator=generator)
    dimension = getattr(model, "embedding_dim", None)
    assert isinstance(dimension, int), "the model has no whole number `embedding_dim`"
    model.train()
    embeddings = model(images)
    assert embeddings.shape == (4, dimension), f"embeddings have shape {tuple(embeddings.shape)}, not (4, {dimension})"
    assert torch.isfinite(embeddings).all(), "embeddings in training are not finite"
    (embeddings * torch.randn(embeddings.shape, generator=generator)).sum().backward()
    idle = [name for name, parameter in model.named_parameters() if parameter.requires_grad and parameter.grad is None]
    assert not idle, f"no gradient reaches {', '.join(idle[:3])}"
    model.eval()
    with torch.no_grad():
        first = model(images)
        assert torch.equal(first, model(images)), "eval gives two answers for the same images"
        assert torch.allclose(first[:1], model(images[:1]), atol=1e-4), "an embedding depends on its batch in eval"
    maps = model.feature_maps(images)  # type: ignore[operator]
    assert maps.ndim == 4, f"feature_maps gives shape {tuple(maps.shape)}, not [B, C, h, w]"


def check_loss(loss: nn.Module, embedding_dim: int = 8, num_classes: int = 4, teacher_dim: int = 6) -> None:
    """A loss is a finite scalar with finite gradients on any batch, and a function of what it is called with alone.

    It is called with what it asks for right of the `*` (see `reidctl.training.objective`). The order of the batch does
    not matter, and a label outside of 0…num_classes-1 is an error unless the numbers of labels do not matter either.
    """
    generator = torch.Generator().manual_seed(0)
    network = _network()
    value = value_of(loss, network, embedding_dim, num_classes, teacher_dim)

    def drawn() -> Tensor:
        return torch.randn(4 * num_classes, embedding_dim, generator=generator)

    labels = torch.arange(num_classes).repeat_interleave(4)
    indices = torch.arange(len(labels)) // 2
    embeddings = drawn()
    state = {name: item.clone() for name, item in loss.state_dict().items()}
    first = value(embeddings, labels, indices)
    assert first.ndim == 0, f"the loss is no scalar but has shape {tuple(first.shape)}"
    assert torch.isfinite(first), "the loss is not finite"
    value(drawn(), labels, indices)
    assert torch.equal(first, value(embeddings, labels, indices)), "the loss changed after seeing another batch"
    assert all(torch.equal(item, state[name]) for name, item in loss.state_dict().items()), "a call changed the state"
    order = torch.randperm(len(labels), generator=generator)
    shuffled = value(embeddings[order], labels[order], indices[order])
    assert torch.allclose(first, shuffled, rtol=1e-4, atol=1e-5), "the loss depends on the order of the batch"
    for shift in (-1, 1):
        _check_label(value, (embeddings, labels + shift, indices), first)
    batches = {
        "": (embeddings, labels, indices),
        " of one identity": (embeddings, torch.zeros_like(labels), indices),
        " of one image": (embeddings[:1], labels[:1], indices[:1]),
        " of equal embeddings": (embeddings[:1].expand_as(embeddings), labels, indices),
    }
    for words, batch in batches.items():
        _check_gradient(value, batch, loss, network, words)


def value_of(loss: nn.Module, network: nn.Module, embedding_dim: int, num_classes: int, teacher_dim: int) -> Value:
    """The loss as a function of a batch of at most 4 · num_classes images, given made-up values of what it asks for."""
    generator = torch.Generator().manual_seed(1)
    asked = given_names(loss.forward)
    head = torch.randn(embedding_dim, num_classes, generator=generator)
    others = torch.randn(2, 4 * num_classes, teacher_dim, generator=generator)
    other_logits = torch.randn(2, 4 * num_classes, num_classes, generator=generator)

    def value(embeddings: Tensor, labels: Tensor, indices: Tensor) -> Tensor:
        logits = embeddings @ head
        given = {
            "epoch": 1.5,
            "model": network,
            "indices": indices,
            "logits": logits,
            "cosines": logits.detach().tanh(),
            "teacher": others[0][indices],
            "peers": [embedding[indices] for embedding in others],
            "peer_logits": [row[indices] for row in other_logits],
        }
        result: Tensor = loss(embeddings, labels, **{name: given[name] for name in asked if name in given})
        return result

    return value


def _network() -> nn.Module:
    """Two convolutions, for losses that ask for a model."""
    network = nn.Sequential(nn.Conv2d(3, 6, 3, bias=False), nn.BatchNorm2d(6), nn.Conv2d(6, 4, 1))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return network


def _check_label(value: Value, batch: tuple[Tensor, Tensor, Tensor], first: Tensor) -> None:
    try:
        found = value(*batch)
    except (ReidError, IndexError, RuntimeError, ValueError):
        return
    labels = batch[1]
    wrong = int(labels.min()) if labels.min() < 0 else int(labels.max())
    assert torch.allclose(first, found, rtol=1e-4, atol=1e-5), f"label {wrong} is no class and no error"


def _check_gradient(
    value: Value, batch: tuple[Tensor, Tensor, Tensor], loss: nn.Module, network: nn.Module, words: str
) -> None:
    embeddings, labels, indices = batch
    embeddings = embeddings.clone().requires_grad_()
    result = value(embeddings, labels, indices)
    assert torch.isfinite(result), f"the loss of a batch{words} is not finite"
    assert result.requires_grad, f"no gradient reaches the embeddings of a batch{words}"
    reached = torch.autograd.grad(result, [embeddings, *network.parameters()], allow_unused=True, retain_graph=True)
    gradients = [item for item in reached if item is not None]
    assert gradients, f"no gradient reaches the embeddings of a batch{words}"
    own = list(loss.parameters())
    learned = torch.autograd.grad(result, own, allow_unused=True) if own else ()
    gradients += [item for item in learned if item is not None]
    assert all(torch.isfinite(item).all() for item in gradients), f"the gradient of a batch{words} is not finite"


def check_export(name: str, image_size: tuple[int, int] = (256, 128), **parameters: Any) -> None:
    """The registered model `name`, with fresh weights, becomes an ONNX file and an IR that OpenVINO computes alike.

    Raises InputError where it cannot be exported, and CheckFailed where the embeddings differ.
    """
    from reidctl.export import export_ir, export_onnx

    with TemporaryDirectory(prefix="reidctl-") as folder:
        made = export_onnx(fresh_checkpoint(Spec(name=name, **parameters), image_size), Path(folder, "model.onnx"))
        export_ir(made, folder)


def fresh_checkpoint(model: Spec, image_size: tuple[int, int] = (256, 128)) -> Checkpoint:
    """A registered model with fresh weights as a checkpoint in memory."""
    from reidctl.config.schema import DataConfig, RunConfig
    from reidctl.training.checkpoint import Checkpoint, build_model, describe

    height, width = image_size
    config = RunConfig(model=model, data=DataConfig(image=ImageSpec(height=height, width=width)))
    network = build_model(config)
    return Checkpoint(Path(model.name), config, describe(network, config), network.state_dict())


def check_runtime(runtime: Embedder) -> None:
    """An opened runtime says what its file takes and embeds pictures of that size, each by itself, always alike.

    images [B, H, W, 3] uint8 RGB -> [B, D] float32, finite, not the same for all images, which stay as they are.
    """
    info = getattr(runtime, "info", None)
    assert isinstance(info, ArtefactInfo), f"`info` is a {type(info).__name__}, not an ArtefactInfo"
    images = np.random.default_rng(0).integers(0, 256, (3, *info.image.size, 3), dtype=np.uint8)
    images[1] //= 2
    before = images.copy()
    first = runtime.embed_batch(images)
    assert isinstance(first, np.ndarray), f"embeddings are a {type(first).__name__}, not an array"
    wanted = (3, info.embedding_dim)
    assert first.shape == wanted, f"embeddings have shape {first.shape}, not {wanted}"
    assert first.dtype == np.float32, f"embeddings are {first.dtype}, not float32"
    assert np.isfinite(first).all(), "embeddings are not finite"
    assert (images == before).all(), "the runtime changed the images it was given"
    scale = float(np.abs(first).max())
    assert np.allclose(first, runtime.embed_batch(images), atol=1e-5 * scale), "the same images have two embeddings"
    alone = np.concatenate([runtime.embed_batch(image[None]) for image in images])
    assert np.allclose(first, alone, atol=1e-4 * scale), "an embedding depends on its batch"
    assert not np.allclose(first[0], first[1], atol=1e-6 * scale), "different images have one embedding"


def check_dataset(data: ReidData) -> None:
    """A data set's images open, its names are unique, and its queries have matches from other cameras."""
    from reidctl.data.images import read_image

    assert isinstance(data, ReidData), f"the data set is a {type(data).__name__}, not a ReidData"
    for samples in (data.train, data.query, data.gallery):
        names = [sample.name for sample in samples]
        assert len(names) == len(set(names)), f"data set '{data.name}': names are not unique"
        if samples:
            read_image(pickle.loads(pickle.dumps(samples[0])).image)
    if data.query:
        seen = {(sample.identity, sample.camera) for sample in data.gallery}
        assert any(
            identity == query.identity and camera != query.camera for query in data.query for identity, camera in seen
        ), f"data set '{data.name}': no query has a match from another camera"


def check_transform(transform: Callable[[Image.Image], Image.Image], size: tuple[int, int] = (64, 128)) -> None:
    """A transform gives an RGB image, the same for the same torch seed, can be pickled, and leaves its input alone."""
    noise = torch.randint(0, 256, (size[1], size[0], 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    image = Image.fromarray(noise.numpy())
    before = image.tobytes()
    results = []
    for act in (transform, pickle.loads(pickle.dumps(transform))):
        torch.manual_seed(1)
        results.append(act(image))
    assert isinstance(results[0], Image.Image), f"the transform gives a {type(results[0]).__name__}, not an image"
    assert results[0].mode == "RGB", f"the transform gives mode {results[0].mode}, not RGB"
    assert results[0].tobytes() == results[1].tobytes(), "the same seed gives two images"
    assert image.tobytes() == before, "the transform changed the image it was given"


def check_batch_transform(transform: Callable[[Tensor, Tensor], Mixed], size: tuple[int, int] = (16, 8)) -> None:
    """A batch transform gives finite images of the batch's shape, labels of the batch, a share, the same each time."""
    images = torch.randn(6, 3, *size, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([4, 4, 0, 0, 7, 7])
    before = images.clone(), labels.clone()
    results = []
    for _ in range(2):
        torch.manual_seed(1)
        results.append(transform(images, labels))
    first, again = results
    assert first.images.shape == images.shape, f"the images have shape {tuple(first.images.shape)}"
    assert torch.isfinite(first.images).all(), "the images are not finite"
    assert first.partners.shape == labels.shape, f"the partners have shape {tuple(first.partners.shape)}"
    assert set(first.partners.tolist()) <= set(labels.tolist()), "a partner's label is none of the batch"
    assert 0 <= first.share <= 1, f"the share is {first.share}"
    for left, right in zip(first[:2], again[:2], strict=True):
        assert torch.equal(left, right), "the same seed gives two batches"
    assert first.share == again.share, "the same seed gives two shares"
    for given, kept in zip((images, labels), before, strict=True):
        assert torch.equal(given, kept), "the transform changed what it was given"
