"""Dropout on the residual branch of a block: (branch [B, C, h, w], input of the block [B, C', h, w]) -> branch.

Active in training only.
"""

from __future__ import annotations

from itertools import product
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import Tensor, nn
from torch.nn import functional


class DropoutOptions(BaseModel):
    """What is dropped in training: in the residual branches by `distribution`, before the embedding by `p` alone."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    distribution: Annotated[
        Literal["none", "bernoulli", "gaussian", "infodrop"],
        Field(description="noise on residual branches; in the built-in OSNets of all but the first block of a stage"),
    ] = "none"
    p: Annotated[float, Ge(0), Lt(1), Field(description="share dropped by bernoulli, infodrop and the head")] = 0.0
    mu: Annotated[float, Gt(0), Le(1), Field(description="mean of the gaussian mask")] = 0.1
    sigma: Annotated[float, Gt(0), Field(description="deviation of the gaussian mask")] = 0.03
    kernel: Annotated[int, Ge(3), Field(description="side of infodrop's neighbourhood in pixels, odd")] = 3
    temperature: Annotated[float, Gt(0), Field(description="infodrop: towards 0 only the flattest positions go")] = 0.2

    @field_validator("kernel")
    @classmethod
    def _has_a_centre(cls, kernel: int) -> int:
        if kernel % 2 == 0:
            raise ValueError("is even and so has no centre")
        return kernel


class BernoulliDropout(nn.Module):
    """Each element of the branch is zeroed with probability p, the others are scaled by 1 / (1 - p)."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, branch: Tensor, block_input: Tensor) -> Tensor:
        return functional.dropout(branch, self.p, self.training)


class GaussianDropout(nn.Module):
    """Each element is multiplied by a draw of Normal(mu, sigma) clamped to 0…1, and divided by mu."""

    def __init__(self, mu: float, sigma: float) -> None:
        super().__init__()
        self.mu, self.sigma = mu, sigma

    def forward(self, branch: Tensor, block_input: Tensor) -> Tensor:
        if not self.training:
            return branch
        mask = torch.randn_like(branch).mul_(self.sigma).add_(self.mu).clamp_(0, 1)
        return branch * mask.div_(self.mu)


class InformativeDropout(nn.Module):
    """Drops the positions of the block's input that look like their neighbours: texture rather than shape.

    Paper: https://arxiv.org/abs/2008.04254, section 3. max(1, int(p·h·w)) positions are drawn with replacement, in
    proportion to `similarity` to the power 1 / temperature; a drawn position loses all its channels, the others are
    scaled by 1 / (1 - p). The original never hands the block's input over in the fpn family, and fails.
    """

    def __init__(self, p: float, kernel: int, temperature: float) -> None:
        super().__init__()
        self.p, self.kernel, self.temperature = p, kernel, temperature

    def forward(self, branch: Tensor, block_input: Tensor) -> Tensor:
        if not self.training:
            return branch
        batch, _, height, width = branch.shape
        with torch.no_grad():
            chances = torch.softmax(similarity(block_input, self.kernel).log() / self.temperature, dim=1) + 1e-12
            drawn = torch.multinomial(chances, max(1, int(self.p * height * width)), replacement=True)
            kept = torch.ones_like(chances).scatter_(1, drawn, 0.0).view(batch, 1, height, width)
        return branch * (kept / (1 - self.p)).to(branch.dtype)


def similarity(maps: Tensor, kernel: int) -> Tensor:
    """How much each position resembles its kernel × kernel neighbours, zeros around the map: [B, C, h, w] -> [B, h·w].

    The sum of exp(-d / 2m) over the neighbours, plus 1e-12; d is the squared distance over channels, m its mean over
    the batch, each position's zero distance to itself included.
    """
    batch, _, height, width = maps.shape
    margin = kernel // 2
    maps = maps.float() if maps.dtype in (torch.bfloat16, torch.float16) else maps
    padded = functional.pad(maps, (margin, margin, margin, margin))
    shifts = [(dy, dx) for dy, dx in product(range(kernel), repeat=2) if (dy, dx) != (margin, margin)]
    distances = torch.stack(
        [(padded[:, :, dy : dy + height, dx : dx + width] - maps).square().sum(1) for dy, dx in shifts]
    )
    mean = distances.sum() / (kernel**2 * batch * height * width)
    weights = torch.exp(distances / (-2 * mean.clamp(min=1e-12)))
    return weights.sum(0).flatten(1) + 1e-12


NO_DROPOUT = DropoutOptions()


def build_dropout(options: DropoutOptions) -> nn.Module | None:
    """The branch dropout that the options ask for; None for distribution `none`."""
    match options.distribution:
        case "none":
            return None
        case "bernoulli":
            return BernoulliDropout(options.p)
        case "gaussian":
            return GaussianDropout(options.mu, options.sigma)
        case "infodrop":
            return InformativeDropout(options.p, options.kernel, options.temperature)
