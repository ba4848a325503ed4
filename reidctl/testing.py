"""Contracts of parts, for built-ins and for the tests of plugin packages alike.

Each check raises AssertionError that says which sentence of the contract does not hold.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable

import torch
from PIL import Image
from torch import Tensor, nn

from reidctl.types import Mixed, ReidData


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


def check_loss(loss: nn.Module, embedding_dim: int = 8, num_classes: int = 4) -> None:
    """A loss is a finite scalar, differentiable, and has no memory of the last batch."""
    generator = torch.Generator().manual_seed(0)

    def batch() -> tuple[Tensor, Tensor]:
        labels = torch.arange(4 * num_classes) % num_classes
        return torch.randn(len(labels), embedding_dim, generator=generator, requires_grad=True), labels

    embeddings, labels = batch()
    first = loss(embeddings, labels)
    assert first.ndim == 0, f"the loss is no scalar but has shape {tuple(first.shape)}"
    assert torch.isfinite(first), "the loss is not finite"
    loss(*batch())
    assert torch.equal(first, loss(embeddings, labels)), "the loss changed after seeing another batch"
    first.backward()
    assert embeddings.grad is not None, "no gradient reaches the embeddings"
    assert torch.isfinite(embeddings.grad).all(), "the gradient is not finite"


def check_dataset(data: ReidData) -> None:
    """A data set's images open, its names are unique, and its queries have matches from other cameras."""
    for samples in (data.train, data.query, data.gallery):
        names = [sample.name for sample in samples]
        assert len(names) == len(set(names)), f"data set '{data.name}': names are not unique"
        if samples:
            pickle.loads(pickle.dumps(samples[0]))
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
