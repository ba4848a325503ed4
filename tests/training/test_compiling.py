from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
import torch._dynamo.utils
from torch import Tensor, nn
from torch._dynamo.exc import BackendCompilerFailed
from torch._dynamo.testing import CompileCounter
from torch.utils._python_dispatch import TorchDispatchMode

from reidctl.config import load_config
from reidctl.errors import ConfigError
from reidctl.models.layers import LightConv3x3
from reidctl.registry import models
from reidctl.training import compiling
from reidctl.training.compiling import WORTH, forward_of, has_compiler, is_worth_it
from reidctl.types import Spec

CPU = torch.device("cpu")
SMALL = (64, 32)
PRESETS = ("retail-0248", "retail-0265", "retail-0267", "retail-0270")
OPTIONS = {
    "pyramid, infodrop": {
        "fpn": {"process": "concatenation"},
        "pooling": "gmp",
        "dropout": {"distribution": "infodrop", "p": 0.2},
    },
    "maximum, gaussian": {
        "fpn": {"process": "max_pooling"},
        "pooling": "max",
        "activation": "relu",
        "dropout": {"distribution": "gaussian"},
    },
    "extra_blocks": {"extra_blocks": True},
}
NETWORKS = {
    **{entry.name: Spec(name=entry.name) for entry in models.entries if not entry.is_family},
    **{name: load_config(name).config.model for name in PRESETS},
    **{name: Spec(name="fpn_osnet_x0_25", **options) for name, options in OPTIONS.items()},
}


QUICK = ("fpn_osnet_ibn_x1_0", "retail-0267")
"""Networks that have all kinds of layers but rare ones between them; each takes seconds."""


@pytest.fixture(autouse=True)
def _forget_compiled_code() -> None:
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in NETWORKS]
)
def test_every_network_is_one_graph(name: str) -> None:
    require_one_graph(models.build(NETWORKS[name], image_size=SMALL).train())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet50", "convnext_atto", "vit_tiny_patch16_224", "mobilenetv4_conv_small"])
def test_a_backbone_of_timm_is_one_graph_for_batches_of_any_size(name: str) -> None:
    network = models.build(Spec(name=f"timm/{name}"), image_size=SMALL).train()
    counter = CompileCounter()
    compiled = torch.compile(network, backend=counter)
    for size, graphs in ((4, 1), (3, 2), (2, 2)):
        compiled(torch.randn(size, 3, *SMALL))
        assert counter.frame_count == graphs
    assert not torch._dynamo.utils.counters["graph_break"]


def test_a_network_under_test_is_one_graph() -> None:
    require_one_graph(stages().eval())


def require_one_graph(network: nn.Module) -> None:
    counter = CompileCounter()
    torch.compile(network, backend=counter)(torch.randn(2, 3, *SMALL))
    assert counter.frame_count == 1
    assert not torch._dynamo.utils.counters["graph_break"]


def stages() -> nn.Module:
    """Every kind of layer, and a third of them: the stem and one stage with both kinds of gates."""
    whole = models.build(Spec(name="fpn_osnet_x0_25", lct_gate=True, pooling="avg"), image_size=SMALL)
    return nn.Sequential(whole.conv1, whole.maxpool, whole.conv2, whole.global_avgpool)


@pytest.mark.parametrize(
    "name", ["stages", *(pytest.param(name, marks=pytest.mark.slow) for name in ("retail-0248", "retail-0267"))]
)
def test_a_second_size_of_batch_compiles_once_more_and_a_third_does_not(name: str) -> None:
    network = stages() if name == "stages" else models.build(NETWORKS[name], image_size=SMALL)
    counter = CompileCounter()
    compiled = torch.compile(network, backend=counter)
    # From 4 to 15 images: torch compiles anew where its convolutions see 16, which is 4 in a gate of four streams.
    for size, graphs in ((8, 1), (8, 1), (5, 2), (8, 2), (4, 2), (7, 2), (3, 3)):
        assert compiled(torch.randn(size, 3, *SMALL)).shape[0] == size
        assert counter.frame_count == graphs


def test_a_compiled_network_shares_its_weights_and_gives_the_same_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    compile_ = torch.compile
    monkeypatch.setattr(torch, "compile", lambda model, **options: compile_(model, backend="aot_eager"))
    torch.manual_seed(0)
    network = stages()
    images = torch.randn(4, 3, *SMALL)
    found = []
    for forward in (network, forward_of(network, CPU, wanted=True, worth_it=False)):
        network.zero_grad()
        forward(images).square().sum().backward()
        found.append([parameter.grad.clone() for parameter in network.parameters()])
    for plain, compiled in zip(*found, strict=True):
        torch.testing.assert_close(compiled, plain)


class Gradients(TorchDispatchMode):
    """Watches in which order the gradients of convolutions lie."""

    def __init__(self) -> None:
        super().__init__()
        self.channels_last: list[bool] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.convolution_backward.default:
            self.channels_last += [maps.is_contiguous(memory_format=torch.channels_last) for maps in args[:2]]
        return func(*args, **(kwargs or {}))


@pytest.mark.slow
def test_compiled_gradients_stay_channels_last() -> None:
    if not has_compiler(CPU):
        pytest.skip("there is no C++ compiler")
    layer = LightConv3x3(8, 8).to(memory_format=torch.channels_last)
    forward = forward_of(layer, CPU, wanted=True, worth_it=False)
    images = torch.randn(2, 8, 16, 16).to(memory_format=torch.channels_last).requires_grad_()
    forward(images).sum().backward()  # The backward pass compiles now.
    maps = forward(images)
    with Gradients() as gradients:
        maps.sum().backward()
    assert gradients.channels_last == [True] * 4


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A CPU with AVX-512, whatever this one has."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    return monkeypatch


def test_auto_compiles_on_no_cpu_of_short_vectors(wide: pytest.MonkeyPatch) -> None:
    assert is_worth_it(CPU, WORTH["cpu"], deterministic=False)
    wide.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert not is_worth_it(CPU, 10**9, deterministic=False)
    assert is_worth_it(torch.device("cuda"), WORTH["cuda"], deterministic=False)


@pytest.mark.usefixtures("wide")
def test_auto_compiles_long_runs_only() -> None:
    assert is_worth_it(CPU, WORTH["cpu"], deterministic=False)
    assert not is_worth_it(CPU, WORTH["cpu"] - 1, deterministic=False)
    assert not is_worth_it(CPU, WORTH["cpu"], deterministic=True)
    assert not is_worth_it(torch.device("meta"), 10**9, deterministic=False)
    network = nn.Identity()
    assert forward_of(network, CPU, "auto", worth_it=False) is network
    assert forward_of(network, CPU, wanted=False, worth_it=True) is network
    assert forward_of(network, CPU, "auto", worth_it=True) is not network


def test_without_a_compiler_auto_goes_without_and_true_is_an_error(wide: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise RuntimeError("no compiler")

    wide.setattr("torch._inductor.cpp_builder.get_cpp_compiler", missing)
    assert not is_worth_it(CPU, 10**9, deterministic=False)
    with pytest.raises(ConfigError, match=r"no C\+\+ compiler"):
        forward_of(nn.Identity(), CPU, wanted=True, worth_it=False)


def test_a_network_that_does_not_compile_runs_plainly_under_auto_and_is_an_error_under_true(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(graph: object, inputs: list[Tensor]) -> None:
        raise BackendCompilerFailed(failing, ValueError("out of registers"), None)

    compile_ = torch.compile
    monkeypatch.setattr(compiling.torch, "compile", lambda model, **options: compile_(model, backend=failing))
    images = torch.ones(2, 3)
    linear = nn.Linear(3, 4)
    with pytest.raises(ConfigError, match=r"Linear does not compile: .*out of registers"):
        forward_of(linear, CPU, wanted=True, worth_it=False)(images)
    forward = forward_of(linear, CPU, "auto", worth_it=True)
    with caplog.at_level(logging.WARNING):
        first, second = forward(images), forward(images)
    assert torch.equal(first, linear(images))
    assert torch.equal(second, first)
    assert [record.levelname for record in caplog.records if record.name == compiling.__name__] == ["WARNING"]
