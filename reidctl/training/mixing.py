"""Batches whose images each show two people, and what the losses make of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from reidctl.registry import batch_transforms
from reidctl.training.blame import blamed
from reidctl.types import Mixed, Spec

BatchTransform = Callable[[Tensor, Tensor], Mixed]


class Mixer:
    """One of the batch transforms at each call, all equally likely, drawn from torch's generator of the CPU.

    images [B, 3, H, W] normalised float, labels [B] -> the batch to train on. Without any it is the batch itself.
    """

    def __init__(self, specs: Sequence[Spec]) -> None:
        self._transforms: list[tuple[str, BatchTransform]] = [
            (spec.name, batch_transforms.build(spec, at=f"data.batch_transforms.{index}"))
            for index, spec in enumerate(specs)
        ]

    def __call__(self, images: Tensor, labels: Tensor) -> Mixed:
        if not self._transforms:
            return Mixed(images, labels, 1.0)
        name, transform = self._transforms[int(torch.randint(len(self._transforms), ()))]
        with blamed(batch_transforms, name):
            mixed = transform(images, labels)
        if not (
            isinstance(mixed, Mixed) and mixed.images.shape == images.shape and mixed.partners.shape == labels.shape
        ):
            raise batch_transforms.find(name).fault(f"gives no Mixed batch of images {list(images.shape)} and labels")
        return mixed


def shared(measure: Callable[[Tensor, Tensor], Tensor], embeddings: Tensor, labels: Tensor, mixed: Mixed) -> Tensor:
    """What `measure` makes of the embeddings with their labels and with the partners' labels, added in their shares.

    For cross entropy that is the loss of the soft labels (https://arxiv.org/abs/1710.09412, section 2).
    """
    own = measure(embeddings, labels)
    return own if mixed.share == 1 else torch.lerp(measure(embeddings, mixed.partners), own, mixed.share)
