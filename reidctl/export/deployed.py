"""A network with what may stand around it in a file: the arithmetic of pixels before it, unit length after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from reidctl.types import ImageSpec

LEAST_LENGTH = 1e-12
"""A shorter embedding keeps its length and is divided by this."""


class Deployed(nn.Module):
    """`network` as it is exported.

    pixels: divide by 255, mean and deviation of this image first, so that RGB 0…255 goes in; None where they come
    normalised. unit_length: divide embeddings by their length.
    """

    factor: Tensor
    shift: Tensor

    def __init__(self, network: nn.Module, *, pixels: ImageSpec | None, unit_length: bool) -> None:
        super().__init__()
        self.network, self.normalizes, self.unit_length = network, pixels is not None, unit_length
        if pixels is not None:
            # One product and one sum for each pixel, on the scale 0…255.
            factor = torch.tensor([1 / (255 * std) for std in pixels.std]).view(1, 3, 1, 1)
            shift = torch.tensor([-mean / std for mean, std in zip(pixels.mean, pixels.std, strict=True)])
            self.register_buffer("factor", factor)
            self.register_buffer("shift", shift.view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """images [B, 3, H, W] -> embeddings [B, D]."""
        if self.normalizes:
            images = images * self.factor + self.shift
        embeddings: Tensor = self.network(images)
        return nn.functional.normalize(embeddings, eps=LEAST_LENGTH) if self.unit_length else embeddings
