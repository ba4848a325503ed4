from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from reidctl.config import RunConfig
from reidctl.errors import InputError, PluginError
from reidctl.training.checkpoint import (
    build_model,
    describe,
    load_checkpoint,
    save_checkpoint,
    weights_sha256,
)
from reidctl.types import Spec
from tests.training.stand_ins import tiny_config


def _saved(tmp_path: Path, width: int = 8) -> tuple[Path, torch.nn.Module, RunConfig]:
    config = tiny_config(tmp_path, model=Spec(name="tiny", width=width))
    torch.manual_seed(0)
    model = build_model(config).to(memory_format=torch.channels_last)
    model.stem[1].running_mean.add_(0.5)
    path = tmp_path / "weights" / "some.safetensors"
    save_checkpoint(path, model, config, describe(model, config, {"patches.mAP": 0.25}))
    return path, model, config


def test_a_checkpoint_holds_weights_configuration_and_metadata(tmp_path: Path) -> None:
    path, model, config = _saved(tmp_path)
    found = load_checkpoint(path)
    assert found.config == config
    assert found.path == path
    assert (found.info.model, found.info.embedding_dim, found.info.metrics) == ("tiny", 6, {"patches.mAP": 0.25})
    assert found.info.image == config.data.image
    assert found.state.keys() == model.state_dict().keys()
    assert all(torch.equal(found.state[name], value) for name, value in model.state_dict().items())
    assert found.info.weights_sha256 == weights_sha256(found.state)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_the_network_of_a_checkpoint_embeds_as_before(tmp_path: Path) -> None:
    path, model, _ = _saved(tmp_path)
    images = torch.rand(2, 3, 32, 16)
    rebuilt = load_checkpoint(path).build()
    assert not rebuilt.training
    assert torch.allclose(rebuilt(images), model.eval()(images), atol=1e-6)


def test_the_digest_tells_weights_apart_and_not_their_order() -> None:
    weights = {"a": torch.arange(6.0), "b": torch.tensor(3)}
    assert weights_sha256(weights) == weights_sha256(dict(reversed(weights.items())))
    assert weights_sha256(weights) != weights_sha256({**weights, "a": torch.arange(6.0).reshape(2, 3)})
    assert weights_sha256(weights) != weights_sha256({**weights, "b": torch.tensor(4)})
    assert weights_sha256(weights) != weights_sha256({"a": weights["a"], "c": weights["b"]})


def test_weights_that_two_layers_share_can_be_saved(tmp_path: Path) -> None:
    config = tiny_config(tmp_path)
    model = build_model(config)
    model.again = model.fc
    save_checkpoint(tmp_path / "tied.safetensors", model, config, describe(model, config))
    assert torch.equal(load_checkpoint(tmp_path / "tied.safetensors").state["again.weight"], model.fc.weight)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such checkpoint"),
        (b"no tensors here", "not a safetensors file"),
        ({}, "metadata is not that of a reidctl checkpoint"),
        ({"config": "{}"}, "without the metadata"),
        ({"config": '{"epochz": 1}'}, "metadata is not that of a reidctl checkpoint"),
        ({"config": "{}", "model": "not json", "embedding_dim": "6"}, "metadata is not that of a reidctl checkpoint"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_refused(
    tmp_path: Path, content: bytes | dict[str, str] | None, message: str
) -> None:
    path = tmp_path / "file.safetensors"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        save_file({"a": torch.zeros(1)}, path, content)
    with pytest.raises(InputError, match=message) as caught:
        load_checkpoint(path)
    assert str(path) in str(caught.value)


def test_a_truncated_checkpoint_is_refused(tmp_path: Path) -> None:
    path, _, _ = _saved(tmp_path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError, match="not a safetensors file"):
        load_checkpoint(path)


def test_a_folder_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a folder"):
        load_checkpoint(tmp_path)


def test_weights_that_do_not_fit_their_own_model_are_refused(tmp_path: Path) -> None:
    path, _, _ = _saved(tmp_path)
    found = load_checkpoint(path)
    del found.state["fc.bias"]
    with pytest.raises(InputError, match=r"do not fit model 'tiny'.*fc\.bias"):
        found.build()


def test_a_model_must_tell_its_embedding_dim(tmp_path: Path) -> None:
    with pytest.raises(
        PluginError, match=r"model Linear \(torch\.nn\.modules\.linear\) has no whole number `embedding_dim`"
    ):
        describe(torch.nn.Linear(1, 1), tiny_config(tmp_path))
