"""timm's networks are the oracle: what our wrapper puts before the head is what they compute themselves."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

from reidctl.errors import ConfigError, InputError, UnknownName
from reidctl.models.timm_backbone import TimmEmbedder, timm_backbones
from reidctl.registry import models
from reidctl.testing import check_model
from reidctl.types import Spec

RESNET, CONVNEXT, VIT, MOBILENET = "resnet50", "convnext_atto", "vit_tiny_patch16_224", "mobilenetv4_conv_small"
SIZES = {RESNET: (64, 32), CONVNEXT: (64, 32), VIT: (256, 128), MOBILENET: (64, 32)}


def build(name: str, size: tuple[int, int] | None = None, **options: Any) -> TimmEmbedder:
    torch.manual_seed(0)
    built: TimmEmbedder = models.build(Spec(name=f"timm/{name}", **options), image_size=size or SIZES[name])
    return built


def pictures(count: int, size: tuple[int, int]) -> Tensor:
    return torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(1))


def timms_own(name: str, size: tuple[int, int], network: TimmEmbedder) -> Any:
    """timm's network with the same weights, built without our code, in eval mode."""
    fixed = {"img_size": size} if name.startswith(("vit", "swin")) else {}
    reference = timm.create_model(name, num_classes=0, **fixed)
    found = reference.load_state_dict(network.backbone.state_dict(), strict=False)
    assert not found.unexpected_keys
    return reference.eval()


@pytest.mark.parametrize("name", SIZES)
def test_a_backbone_keeps_the_contract_of_models(name: str) -> None:
    network = build(name)
    check_model(network, SIZES[name])
    assert network.embedding_dim == 512


@pytest.mark.parametrize("name", [CONVNEXT, VIT, MOBILENET])
@pytest.mark.parametrize("pooling", ["own", "avg", "max", "gmp"])
def test_a_gradient_reaches_every_parameter_and_one_image_is_embedded(name: str, pooling: str) -> None:
    network = build(name, (64, 32), pooling=pooling)
    images = pictures(4, (64, 32))
    embeddings = network(images)
    (embeddings * torch.randn(embeddings.shape)).sum().backward()
    assert [key for key, value in network.named_parameters() if value.grad is None or not value.grad.any()] == []
    network.eval()
    assert torch.allclose(network(images[:1]), network(images)[:1], atol=1e-4)


@pytest.mark.parametrize("name", SIZES)
@torch.no_grad()
def test_with_its_own_pooling_and_no_head_a_backbone_is_timms_network(name: str) -> None:
    network = build(name, embedding_dim=None).eval()
    images = pictures(2, SIZES[name])
    expected = timms_own(name, SIZES[name], network)(images)
    assert torch.equal(network(images), expected)
    assert network.embedding_dim == expected.shape[1]


@pytest.mark.parametrize("name", [CONVNEXT, MOBILENET])
@torch.no_grad()
def test_the_map_of_a_convolutional_backbone_is_what_timm_computes(name: str) -> None:
    network = build(name, pooling="avg", embedding_dim=None).eval()
    images = pictures(2, SIZES[name])
    expected = timms_own(name, SIZES[name], network).forward_features(images)
    assert torch.equal(network.feature_maps(images), expected)
    assert torch.allclose(network(images), expected.mean((2, 3)), atol=1e-6)


@pytest.mark.parametrize(("name", "prefix"), [(VIT, 1), ("deit_tiny_distilled_patch16_224", 2)])
@torch.no_grad()
def test_the_map_of_a_transformer_has_each_patch_in_its_place(name: str, prefix: int) -> None:
    size = (64, 48)
    network = build(name, size, pooling="max", embedding_dim=None).eval()
    images = pictures(2, size)
    fixed = timm.create_model(name, num_classes=0, img_size=size)
    fixed.load_state_dict(network.backbone.state_dict(), strict=False)
    tokens = fixed.eval().forward_features(images)
    maps = network.feature_maps(images)
    assert maps.shape == (2, 192, 4, 3)
    for row in range(4):
        for column in range(3):
            assert torch.equal(maps[:, :, row, column], tokens[:, prefix + 3 * row + column])
    assert torch.equal(network(images), tokens[:, prefix:].amax(1))


@torch.no_grad()
def test_a_map_with_its_channels_last_is_turned() -> None:
    name, size = "swin_tiny_patch4_window7_224", (64, 32)
    network = build(name, size, pooling="avg", embedding_dim=None).eval()
    images = pictures(1, size)
    features = timms_own(name, size, network).forward_features(images)
    assert features.shape == (1, 2, 1, 768)
    assert torch.equal(network.feature_maps(images)[0, :, 1, 0], features[0, 1, 0])


def test_layers_that_a_pooling_leaves_idle_are_not_there() -> None:
    own, average = build(MOBILENET), build(MOBILENET, pooling="avg")
    assert {key for key in own.state_dict() if "head" in key} == {
        f"backbone.{key}"
        for key in (
            "conv_head.weight",
            *(f"norm_head.{part}" for part in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")),
        )
    }
    assert not any("head" in key for key in average.state_dict())
    assert (own.fc[0].in_features, average.fc[0].in_features) == (1280, 960)  # type: ignore[index,union-attr]


def test_the_head_is_that_of_the_osnets() -> None:
    network = build(CONVNEXT, embedding_dim=24, activation="relu", dropout=0.25)
    assert isinstance(network.fc, nn.Sequential)
    assert [type(layer) for layer in network.fc] == [nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Dropout]
    assert network.fc[0].weight.shape == (24, 320)
    assert network.fc[0].weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert network.eval()(pictures(2, (64, 32))).shape == (2, 24)


@pytest.mark.parametrize("name", SIZES)
@torch.no_grad()
def test_weights_written_and_read_back_give_the_same_embeddings(name: str) -> None:
    first = build(name).eval()
    torch.manual_seed(5)
    second = models.build(Spec(name=f"timm/{name}"), image_size=SIZES[name]).eval()
    images = pictures(2, SIZES[name])
    assert not torch.equal(second(images), first(images))
    second.load_state_dict(first.state_dict())
    assert torch.equal(second(images), first(images))


@torch.inference_mode()
def test_networks_with_equal_seeds_are_equal() -> None:
    first, second = (build(VIT, (64, 32)).state_dict() for _ in range(2))
    assert all(torch.equal(value, second[key]) for key, value in first.items())


def test_trying_a_backbone_out_leaves_its_statistics_alone() -> None:
    network = build(MOBILENET)
    assert all(int(value) == 0 for key, value in network.state_dict().items() if key.endswith("num_batches_tracked"))


@pytest.mark.parametrize(
    "name", [RESNET, "vit_base_patch16_clip_224", "vit_base_patch16_clip_224.openai", "beit_base_patch16_224"]
)
def test_a_member_states_the_normalisation_of_its_weights(name: str) -> None:
    stated = timm.get_pretrained_cfg(name)
    assert stated is not None
    assert timm_backbones(name).normalization == (stated.mean, stated.std)


def test_every_name_of_timm_is_a_member() -> None:
    names = models.members("timm")
    assert len(names) > 1000
    assert {f"timm/{name}" for name in SIZES} <= set(names)
    assert names == [f"timm/{name}" for name in timm.list_models()]


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("resnet5O", "no model named 'timm/resnet5O'", "did you mean 'timm/resnet50'?"),
        ("resnet50.a1_in1", "no published weights 'a1_in1' of timm/resnet50", "did you mean 'a1_in1k'?"),
        ("resnet50.", "no published weights '' of timm/resnet50", "there are: a1_in1k, "),
        ("hf-hub:timm/resnet50", "no model named 'timm/hf-hub:timm/resnet50'", ""),
    ],
)
def test_a_name_that_timm_does_not_have_suggests_the_nearest(name: str, message: str, hint: str) -> None:
    with pytest.raises(UnknownName) as error:
        models.load(f"timm/{name}")
    assert str(error.value) == message
    assert (error.value.hint or "").startswith(hint)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("convit_tiny", "timm/convit_tiny does not work with images of 256x128: "),
        ("coat_tiny", "it has no single feature map"),
    ],
)
def test_a_backbone_that_cannot_be_used_is_one_line(name: str, words: str) -> None:
    with pytest.raises(ConfigError) as error:
        build(name, (256, 128))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_published_weights_are_asked_of_timm_but_not_for_a_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, original = [], timm.create_model

    def create(name: str, pretrained: bool, **options: Any) -> Any:
        asked.append((name, pretrained))
        return original(name, **options)

    monkeypatch.setattr(timm, "create_model", create)
    spec = Spec(name="timm/mobilenetv4_conv_small.e2400_r224_in1k", pretrained=True)
    models.build(spec, image_size=(64, 32))
    models.build(spec, image_size=(64, 32), restoring=True)
    assert asked == [(spec.name.removeprefix("timm/"), True), (spec.name.removeprefix("timm/"), False)]


def test_weights_that_nobody_published_are_refused() -> None:
    unpublished = next(name for name in timm.list_models() if not timm.get_pretrained_cfg(name).has_weights)
    with pytest.raises(InputError, match=f"nobody has published weights of timm/{unpublished}"):
        build(unpublished, (256, 128), pretrained=True)


LIGHT = """
import sys
from reidctl.cli.options import names_of
from reidctl.registry import models
from reidctl.types import Spec
assert "timm/" in names_of(models)("ti")
assert models.find("timm/resnet50").package == "reidctl"
assert "torch" not in sys.modules
models.build(Spec(name="fpn_osnet_x0_25"), image_size=(64, 32))
assert "timm" not in sys.modules
models.load("timm/resnet50")
assert "timm" in sys.modules
"""


def test_timm_is_imported_only_for_a_name_of_its_own() -> None:
    ended = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
