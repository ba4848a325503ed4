import pytest
import torch

from reidctl.errors import ConfigError
from reidctl.training.freezing import only_open, require_layers
from tests.training.stand_ins import Tiny

IMAGES = torch.rand(8, 3, 32, 16, generator=torch.Generator().manual_seed(0))


def test_only_open_layers_get_gradients_and_keep_learning_statistics() -> None:
    model = Tiny(image_size=(32, 16))
    statistics = model.stem[1].running_mean.clone()
    with only_open(model, ["fc"]):
        model(IMAGES).sum().backward()
        assert not model.stem.training
        assert not model.dropout.training
        assert model.fc.training
    assert {name for name, p in model.named_parameters() if p.grad is not None} == {"fc.weight", "fc.bias"}
    assert torch.equal(model.stem[1].running_mean, statistics)


def test_everything_learns_again_afterwards_but_what_never_did() -> None:
    model = Tiny(image_size=(32, 16))
    model.stem[0].weight.requires_grad_(False)
    with only_open(model, ["fc"]):
        assert not model.stem[1].weight.requires_grad
    assert model.stem.training
    assert {name for name, p in model.named_parameters() if not p.requires_grad} == {"stem.0.weight"}


def test_a_parameter_of_the_model_itself_is_frozen_too() -> None:
    model = Tiny(image_size=(32, 16))
    model.own = torch.nn.Parameter(torch.ones(1))
    with only_open(model, ["fc"]):
        assert not model.own.requires_grad


def test_an_unknown_layer_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="open_layers: the model has no layer 'stemm'") as caught:
        require_layers(Tiny(image_size=(32, 16)), ["fc", "stemm"])
    assert caught.value.hint == "did you mean 'stem'?"
