from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from reidctl.errors import ConfigError
from reidctl.models import fpn_osnet, osnet
from reidctl.models.dropout import NO_DROPOUT
from reidctl.models.fpn import PyramidOptions
from reidctl.models.osnet import OSNet, feature_map_size
from reidctl.testing import check_model

Builder = Callable[..., OSNet]
PLAIN: dict[str, Builder] = {
    name: getattr(osnet, name) for name in ("osnet_x1_0", "osnet_x0_75", "osnet_x0_5", "osnet_x0_25", "osnet_ibn_x1_0")
}
RETAIL: dict[str, Builder] = {
    name: getattr(fpn_osnet, name)
    for name in ("fpn_osnet_x1_0", "fpn_osnet_x0_75", "fpn_osnet_x0_5", "fpn_osnet_x0_25", "fpn_osnet_ibn_x1_0")
}
SMALL = (64, 32)


@pytest.mark.parametrize("name", PLAIN | RETAIL)
def test_every_network_keeps_the_contract_of_models(name: str) -> None:
    torch.manual_seed(0)
    check_model((PLAIN | RETAIL)[name](image_size=SMALL), SMALL)


@pytest.mark.parametrize("name", RETAIL)
def test_every_network_with_linear_gates_embeds_a_single_image(name: str) -> None:
    network = RETAIL[name](lct_gate=True, image_size=SMALL).eval()
    images = torch.randn(2, 3, *SMALL)
    assert torch.allclose(network(images[:1]), network(images)[:1], atol=1e-5)


@pytest.mark.parametrize("lct_gate", [False, True])
def test_a_gradient_reaches_every_parameter(lct_gate: bool) -> None:
    reached: set[str] = set()
    # The two hidden channels of a narrow gate can both start out dead, so one draw of the weights is not enough.
    for seed in range(4):
        torch.manual_seed(seed)
        network = fpn_osnet.fpn_osnet_x0_5(lct_gate=lct_gate, image_size=SMALL)
        (network(torch.randn(8, 3, *SMALL)) ** 2).sum().backward()
        reached |= {name for name, parameter in network.named_parameters() if parameter.grad.abs().sum() > 0}
    assert reached == {name for name, _ in network.named_parameters()}


def test_the_linear_gate_stands_in_all_but_the_first_block_of_a_stage() -> None:
    network = fpn_osnet.fpn_osnet_x0_5(lct_gate=True, extra_blocks=True, image_size=SMALL)
    gates = {name for name, _ in network.named_modules() if name.endswith(".gn")}
    assert gates == {f"conv{stage}.{block}.gate.gn" for stage in (2, 3, 4) for block in (1, 2)}


def test_instance_norms_stand_where_the_variant_puts_them() -> None:
    def places(network: nn.Module) -> list[str]:
        return sorted(name for name, module in network.named_modules() if isinstance(module, nn.InstanceNorm2d))

    blocks = ["conv2.0.IN", "conv2.1.IN"]
    assert places(osnet.osnet_x1_0(image_size=SMALL)) == []
    assert places(osnet.osnet_ibn_x1_0(image_size=SMALL)) == ["conv1.bn", *blocks]
    assert places(fpn_osnet.fpn_osnet_x1_0(image_size=SMALL)) == ["conv1.bn", "in_first"]
    assert places(fpn_osnet.fpn_osnet_ibn_x1_0(image_size=SMALL)) == ["conv1.bn", *blocks, "in_first"]
    assert places(fpn_osnet.fpn_osnet_ibn_x1_0(input_norm=False, image_size=SMALL)) == ["conv1.bn", *blocks]


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"lct_gate": True}, {"pooling": "gmp", "fpn": PyramidOptions(dim=8)}])
def test_a_network_compiles_into_one_graph_for_any_batch(options: dict[str, Any]) -> None:
    network = fpn_osnet.fpn_osnet_x0_25(**options, image_size=SMALL).eval()
    compiled = torch.compile(network, fullgraph=True, dynamic=True, backend="eager")
    for batch in (2, 5):
        images = torch.randn(batch, 3, *SMALL)
        assert torch.allclose(compiled(images), network(images), atol=1e-6)


@pytest.mark.parametrize("pooling", ["conv", "avg", "max", "gmp"])
def test_without_an_embedding_length_the_pooled_features_are_the_embedding(pooling: Any) -> None:
    network = fpn_osnet.fpn_osnet_x0_25(embedding_dim=None, pooling=pooling, image_size=SMALL).eval()
    images = torch.randn(2, 3, *SMALL)
    assert network.embedding_dim == 128
    assert torch.equal(network(images), network.global_avgpool(network.feature_maps(images)).flatten(1))


@pytest.mark.parametrize("size", [(256, 128), (128, 64), (160, 80), (250, 125), (271, 30), (13, 13)])
def test_conv_pooling_fits_any_image_size(size: tuple[int, int]) -> None:
    network = fpn_osnet.fpn_osnet_x0_25(image_size=size).eval()
    images = torch.randn(1, 3, *size)
    assert network.feature_maps(images).shape[2:] == feature_map_size(size)
    assert network(images).shape == (1, 256)


@pytest.mark.parametrize("name", ["osnet_x0_25", "fpn_osnet_x0_25"])
def test_an_image_without_a_feature_map_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="image size 12x128 leaves OSNet no feature map"):
        (PLAIN | RETAIL)[name](image_size=(12, 128))


def test_networks_with_equal_seeds_are_equal() -> None:
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        states.append(fpn_osnet.fpn_osnet_x0_25(image_size=SMALL).state_dict())
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())


def test_the_whole_family_has_one_signature_that_can_be_read() -> None:
    first, *others = (inspect.signature(builder, eval_str=True) for builder in RETAIL.values())
    assert all(other == first for other in others)
    user = {p.name: p.default for p in first.parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD}
    assert user == {
        "embedding_dim": 256,
        "activation": "prelu",
        "pooling": "conv",
        "input_norm": True,
        "lct_gate": False,
        "lct_eps": 1e-5,
        "extra_blocks": False,
        "fpn": None,
        "dropout": NO_DROPOUT,
    }
    assert [p.name for p in first.parameters.values() if p.kind is p.KEYWORD_ONLY] == ["image_size"]
    assert first.return_annotation is OSNet


@pytest.mark.parametrize("name", PLAIN | RETAIL)
def test_every_builder_says_its_name_and_what_it_builds(name: str) -> None:
    builder = (PLAIN | RETAIL)[name]
    assert builder.__name__ == name
    assert name in repr(builder)
    assert len((inspect.getdoc(builder) or "").splitlines()[0]) > 40
