"""Reading and training as one writes them in an afternoon, with torch, torchvision and Pillow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from reidctl.config import RunConfig
    from reidctl.types import ReidData


def plain_batches(config: RunConfig, data: ReidData, *, pin_memory: bool = False) -> Iterator[tuple[Any, Any]]:
    """Normalised images [B, 3, H, W] and labels [B] for ever: a DataLoader, shuffled, in the processes of `config`.

    The augmentations are those of `config`: torchvision's where it has them, ours for the rest.
    """
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset

    chain = plain_transforms(config, data)

    class Images(Dataset[Any]):
        def __len__(self) -> int:
            return len(data.train)

        def __getitem__(self, index: int) -> tuple[Any, int]:
            sample = data.train[index]
            return chain(Image.open(sample.image).convert("RGB")), sample.identity

    loader = DataLoader(
        Images(),
        batch_size=config.train.batch_size,
        shuffle=True,
        num_workers=config.data.workers,
        drop_last=True,
        pin_memory=pin_memory,
        persistent_workers=config.data.workers > 0,
    )
    while True:
        yield from loader


def plain_transforms(config: RunConfig, data: ReidData) -> Callable[[Any], Any]:
    """From a Pillow image to what the network takes; erasing comes last, as torchvision's does."""
    from torchvision import transforms as tv

    from reidctl.data.loader import build_transforms

    image, specs = config.data.image, config.data.transforms
    theirs = {
        "resize": tv.Resize(image.size),
        "random_flip": tv.RandomHorizontalFlip(0.5),
        "color_jitter": tv.RandomApply([tv.ColorJitter(0.15, 0.15, 0.1, 0.1)], 0.8),
        "random_gray": tv.RandomGrayscale(0.1),
        "random_rotate": tv.RandomApply([tv.RandomRotation(5)], 0.33),
    }
    built = build_transforms(specs, image, data.train)
    chain = [theirs.get(spec.name, own) for spec, own in zip(specs, built, strict=True) if spec.name != "random_erase"]
    return tv.Compose(
        [*chain, tv.ToTensor(), tv.Normalize(image.mean, image.std), tv.RandomErasing(0.5, (0.2, 0.4), (0.3, 3.3))]
    )


def plain_step(config: RunConfig, classes: int, device: str = "cpu") -> Callable[[torch.Tensor, torch.Tensor], None]:
    """A step of images and labels: float32, eager, images channel by channel (NCHW), torch's default Adam."""
    import torch

    from reidctl.registry import losses, models

    use_torchs_own_layers()
    model = models.build(config.model, image_size=config.data.image.size).to(device)
    loss = losses.build(config.losses[0], embedding_dim=model.embedding_dim, num_classes=classes).to(device)
    optimizer = torch.optim.Adam([*model.parameters(), *loss.parameters()], lr=1e-4, amsgrad=True)

    def step(images: torch.Tensor, labels: torch.Tensor) -> None:
        optimizer.zero_grad()
        loss(model(images.to(device)), labels.to(device)).backward()
        optimizer.step()

    return step


def use_torchs_own_layers() -> None:
    """Undo what our networks do for speed in training."""
    from torch import nn

    from reidctl.models.layers import InstanceNorm
    from reidctl.models.osnet import OSNet
    from reidctl.models.pooling import WeightedPool

    def stem(network: Any, images: torch.Tensor) -> Any:
        return network.conv1(network.in_first(images))

    InstanceNorm.forward = nn.InstanceNorm2d.forward  # type: ignore[method-assign]
    WeightedPool.forward = nn.Conv2d.forward  # type: ignore[method-assign]
    OSNet._stem = stem  # type: ignore[method-assign]
