from __future__ import annotations

import math

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from reidctl.models.dropout import (
    BernoulliDropout,
    DropoutOptions,
    GaussianDropout,
    InformativeDropout,
    build_dropout,
    similarity,
)
from reidctl.models.fpn_osnet import fpn_osnet_x0_25


def similarity_by_hand(maps: Tensor, kernel: int) -> list[list[float]]:
    """The docstring's formula as loops over positions and neighbours."""
    batch, _, height, width = maps.shape
    reach = kernel // 2
    zeros = torch.zeros(maps.shape[1], dtype=maps.dtype)
    distances: dict[tuple[int, int, int], list[float]] = {}
    for b in range(batch):
        for y in range(height):
            for x in range(width):
                centre = maps[b, :, y, x]
                around = [
                    maps[b, :, v, u] if 0 <= v < height and 0 <= u < width else zeros
                    for v in range(y - reach, y + reach + 1)
                    for u in range(x - reach, x + reach + 1)
                ]
                distances[b, y, x] = [((other - centre) ** 2).sum().item() for other in around]
    everything = [distance for around in distances.values() for distance in around]
    mean = sum(everything) / len(everything)
    middle = kernel**2 // 2
    return [
        [
            sum(math.exp(-d / (2 * mean)) for i, d in enumerate(distances[b, y, x]) if i != middle) + 1e-12
            for y in range(height)
            for x in range(width)
        ]
        for b in range(batch)
    ]


@pytest.mark.parametrize("kernel", [3, 5])
def test_similarity_is_its_definition(kernel: int) -> None:
    maps = torch.randn(2, 3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = torch.tensor(similarity_by_hand(maps, kernel), dtype=torch.float64)
    assert torch.allclose(similarity(maps, kernel), expected, rtol=1e-12)


def test_a_flat_map_has_finite_similarity() -> None:
    assert torch.isfinite(similarity(torch.zeros(1, 2, 3, 3), 3)).all()


def test_bernoulli_zeroes_its_share_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    dropped = BernoulliDropout(0.25)(torch.ones(1, 10, 100, 100), torch.empty(0))
    assert sorted(dropped.unique().tolist()) == pytest.approx([0, 4 / 3])
    assert (dropped == 0).double().mean().item() == pytest.approx(0.25, abs=0.01)


def test_gaussian_multiplies_by_a_clamped_draw_over_its_mean() -> None:
    torch.manual_seed(0)
    branch = torch.ones(1, 10, 100, 100, requires_grad=True)
    noisy = GaussianDropout(mu=0.5, sigma=0.25)(branch, torch.empty(0))
    assert noisy.min().item() == 0.0
    assert noisy.max().item() == 2.0
    assert noisy.mean().item() == pytest.approx(1.0, abs=0.01)
    # Normal(0.5, 0.25) reaches below 0 and above 1 with probability Phi(-2) = 0.0228 each.
    assert (noisy == 0).double().mean().item() == pytest.approx(0.0228, abs=0.003)
    assert (noisy == 2).double().mean().item() == pytest.approx(0.0228, abs=0.003)
    noisy.sum().backward()
    assert branch.grad is not None
    assert torch.equal(branch.grad, noisy.detach())


def test_infodrop_zeroes_whole_positions_and_scales_the_others() -> None:
    torch.manual_seed(0)
    branch = torch.ones(4, 6, 8, 4)
    dropped = InformativeDropout(0.5, kernel=3, temperature=0.2)(branch, torch.randn(4, 3, 8, 4))
    assert sorted(dropped.unique().tolist()) == [0.0, 2.0]
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    zeroed = (dropped[:, 0] == 0).sum((1, 2))
    assert (zeroed >= 1).all()
    assert (zeroed <= 16).all()


def test_infodrop_prefers_flat_regions_to_busy_ones() -> None:
    torch.manual_seed(0)
    maps = torch.zeros(1, 8, 10, 20)
    maps[..., 10:] = 3 * torch.randn(1, 8, 10, 10)
    dropout = InformativeDropout(0.1, kernel=3, temperature=0.2)
    flat = busy = 0
    for _ in range(20):
        zeroed = dropout(torch.ones(1, 1, 10, 20), maps)[0, 0] == 0
        flat, busy = flat + int(zeroed[:, :9].sum()), busy + int(zeroed[:, 11:].sum())
    assert flat > 10 * busy


def test_infodrop_drops_one_position_at_least() -> None:
    dropped = InformativeDropout(0.0, kernel=3, temperature=0.2)(torch.ones(2, 3, 4, 4), torch.randn(2, 3, 4, 4))
    assert (dropped[:, 0] == 0).sum((1, 2)).tolist() == [1, 1]


@pytest.mark.parametrize("distribution", ["bernoulli", "gaussian", "infodrop"])
def test_nothing_is_dropped_in_eval(distribution: str) -> None:
    dropout = build_dropout(DropoutOptions(distribution=distribution, p=0.5))
    assert dropout is not None
    branch = torch.randn(2, 3, 4, 4)
    assert torch.equal(dropout.eval()(branch, branch), branch)


@pytest.mark.parametrize("distribution", ["bernoulli", "gaussian", "infodrop"])
def test_a_network_trains_with_dropout_in_all_but_the_first_blocks(distribution: str) -> None:
    options = DropoutOptions(distribution=distribution, p=0.2)
    network = fpn_osnet_x0_25(dropout=options, image_size=(64, 32))
    assert [network.get_submodule(f"conv{stage}.0").dropout is None for stage in (2, 3, 4)] == [True] * 3
    assert [network.get_submodule(f"conv{stage}.1").dropout is None for stage in (2, 3, 4)] == [False] * 3
    images = torch.randn(2, 3, 64, 32)
    assert not torch.equal(network(images), network(images))
    network(images).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_the_share_p_is_also_that_of_the_head() -> None:
    torch.manual_seed(0)
    network = fpn_osnet_x0_25(dropout=DropoutOptions(p=0.5), image_size=(64, 32))
    embeddings = network(torch.randn(16, 3, 64, 32))
    assert (embeddings == 0).double().mean().item() == pytest.approx(0.5, abs=0.05)
    assert not (network.eval()(torch.randn(2, 3, 64, 32)) == 0).any()


@pytest.mark.parametrize(
    "wrong",
    [
        {"p": 1.0},
        {"p": -0.1},
        {"sigma": 0.0},
        {"mu": 0.0},
        {"kernel": 4},
        {"kernel": 1},
        {"temperature": 0.0},
        {"q": 1},
    ],
)
def test_impossible_options_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        DropoutOptions(**wrong)
