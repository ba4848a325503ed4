"""OSNet-AIN beyond the reference's numbers: the contract of models, its parameters, its structure."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

import reidctl
from reidctl.models.dropout import DropoutOptions
from reidctl.models.layers import InstanceNorm
from reidctl.testing import check_model
from reidctl_osnet_ain.blocks import AINBlock
from reidctl_osnet_ain.network import OSNetAIN, SumPool, osnet_ain2_x1_0, osnet_ain_x1_0

SMALL = (64, 32)
ON_BOTH = pytest.mark.parametrize("builder", [osnet_ain_x1_0, osnet_ain2_x1_0])


@pytest.mark.parametrize("name", ["osnet_ain_x1_0", "osnet_ain2_x1_0"])
@pytest.mark.parametrize("lct_gate", [False, True])
def test_a_registered_network_keeps_the_contract_of_models(name: str, lct_gate: bool) -> None:
    torch.manual_seed(0)
    check_model(reidctl.create_model(name, SMALL, lct_gate=lct_gate), SMALL)


@ON_BOTH
def test_a_gradient_reaches_every_parameter(builder: Callable[..., OSNetAIN]) -> None:
    reached: set[str] = set()
    # The few hidden channels of a gate can all start out dead, so one draw of the weights is not enough.
    for seed in range(8):
        torch.manual_seed(seed)
        network = builder()
        network(torch.randn(4, 3, *SMALL)).square().sum().backward()
        reached |= {name for name, value in network.named_parameters() if value.grad is not None and value.grad.any()}
    assert reached == {name for name, _ in network.named_parameters()}


@pytest.mark.parametrize(("builder", "extra"), [(osnet_ain_x1_0, set()), (osnet_ain2_x1_0, {"input_IN"})])
def test_instance_norms_stand_where_the_paper_puts_them(builder: Callable[..., OSNetAIN], extra: set[str]) -> None:
    found = {name for name, module in builder().named_modules() if isinstance(module, InstanceNorm)}
    assert found == {"conv1.bn", "conv2.0.IN", "conv2.1.IN", "conv3.1.IN", "conv4.0.IN"} | extra


@pytest.mark.parametrize(("dim", "expected"), [(None, 512), (7, 7)])
def test_without_an_embedding_layer_the_pooled_features_are_the_embedding(dim: int | None, expected: int) -> None:
    network = osnet_ain_x1_0(dim).eval()
    assert network.embedding_dim == expected
    assert network(torch.zeros(1, 3, *SMALL)).shape == (1, expected)


def test_any_image_from_16_pixels_on_is_taken() -> None:
    network = osnet_ain_x1_0().train()
    assert network(torch.randn(2, 3, 16, 48)).shape == (2, 256)


def test_an_embedding_has_either_sign() -> None:
    torch.manual_seed(0)
    embeddings = osnet_ain_x1_0().train()(torch.randn(4, 3, *SMALL))
    assert (embeddings < 0).any(dim=1).all()
    assert (embeddings > 0).any(dim=1).all()


def test_the_sum_of_poolings_is_average_plus_maximum() -> None:
    maps = torch.tensor([[[[1.0, 2.0], [3.0, 10.0]]]])
    assert SumPool()(maps).item() == 4 + 10


@pytest.mark.parametrize("distribution", ["bernoulli", "gaussian", "infodrop"])
def test_dropout_acts_on_every_block_in_training_only(distribution: str) -> None:
    options = DropoutOptions.model_validate({"distribution": distribution, "p": 0.3})
    network = osnet_ain_x1_0(dropout=options)
    blocks = [module for module in network.modules() if isinstance(module, AINBlock)]
    assert len([block for block in blocks if block.dropout is not None]) == 6
    images = torch.randn(2, 3, *SMALL)
    assert not torch.equal(network(images), network(images))
    network.eval()
    assert torch.equal(network(images), network(images))
