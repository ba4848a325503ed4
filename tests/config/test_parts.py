"""The parts of a configuration: which there are, how they are checked, what they look like written out."""

from __future__ import annotations

import pytest

from reidctl.config import LossSpec, RunConfig, load_config
from reidctl.config.parts import check_parts, parts, with_defaults
from reidctl.errors import ConfigError
from reidctl.registry import presets


def test_every_part_is_named_with_its_place_and_registry() -> None:
    config = load_config(
        sets=["losses=[softmax, triplet]", "data.sources=[msmt17]", "data.batch_transforms=[cutmix]"]
    ).config
    assert [(".".join(map(str, path)), kind.kind, spec.name) for path, kind, spec in parts(config)] == [
        ("model", "model", "fpn_osnet_x1_0"),
        ("losses.0", "loss", "softmax"),
        ("losses.1", "loss", "triplet"),
        ("data.sources.0", "dataset", "msmt17"),
        ("data.targets.0", "dataset", "market1501"),
        ("data.transforms.0", "transform", "resize"),
        ("data.transforms.1", "transform", "random_flip"),
        ("data.batch_transforms.0", "batch_transform", "cutmix"),
    ]


def test_a_wrong_parameter_names_its_origin_and_the_nearest_key() -> None:
    with pytest.raises(ConfigError) as error:
        check_parts(load_config("retail-0267", sets=["losses.0.margn=0.4"]))
    assert str(error.value) == "losses.0.margn: no such key"
    assert error.value.hint == "did you mean 'margin'?"


def test_the_weight_of_a_loss_is_suggested_like_its_parameters() -> None:
    with pytest.raises(ConfigError) as error:
        check_parts(load_config(sets=["losses.0.weigth=2.0"]))
    assert error.value.hint == "did you mean 'weight'?"


@pytest.mark.parametrize("preset", [None, *presets.names()])
def test_writing_parameters_out_changes_nothing_else_and_is_done_once(preset: str | None) -> None:
    config = load_config(preset).config
    whole = with_defaults(config)
    assert with_defaults(whole) == whole
    for (path, _, spec), (_, _, full) in zip(parts(config), parts(whole), strict=True):
        assert full.parameters.items() >= spec.parameters.items(), path
    bare = {"model": config.model, "losses": config.losses, "data": config.data}
    assert whole.model_copy(update=bare) == config


def test_written_out_a_batch_transform_has_all_its_parameters() -> None:
    config = load_config(sets=["data.batch_transforms=[{name: mixup, alpha: 0.4}]"]).config
    assert [spec.parameters for spec in with_defaults(config).data.batch_transforms] == [{"p": 1.0, "alpha": 0.4}]


def test_a_wrong_parameter_of_a_configuration_made_in_python_names_its_key() -> None:
    with pytest.raises(ConfigError, match=r"^losses\.0\.margn: no such key"):
        with_defaults(RunConfig(losses=(LossSpec(name="triplet", margn=0.2),)))
    with pytest.raises(ConfigError, match=r"^losses\.0\.margin: should be a number"):
        with_defaults(RunConfig(losses=(LossSpec(name="triplet", margin="0.2"),)))


def test_written_out_the_default_loss_has_all_its_parameters() -> None:
    (loss,) = with_defaults(RunConfig()).losses
    assert loss.parameters["margin"] == 0.35
    assert loss.weight == 1.0
