"""The published networks' presets: every value of the published table, loadable and buildable."""

from __future__ import annotations

from pathlib import Path

import pytest

from reidctl.config import RunConfig, load_config
from reidctl.config.parts import check_parts, with_defaults
from reidctl.config.presets import FOLDER, preset_path, preset_title, read_preset
from reidctl.errors import UnknownName
from reidctl.registry import losses, models, presets, transforms
from reidctl.types import Spec

PRESETS = ["retail-0248", "retail-0265", "retail-0267", "retail-0270"]
ON_ALL = pytest.mark.parametrize("name", PRESETS)


def test_every_file_is_registered_and_every_registered_preset_has_a_file() -> None:
    ours = [entry.name for entry in presets.entries if entry.package == "reidctl"]
    assert sorted(path.stem for path in FOLDER.glob("*.yaml")) == ours
    assert {*PRESETS} < {*ours}


def test_an_unknown_preset_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="no preset named 'retail-0266'") as error:
        preset_path("retail-0266")
    assert "retail-026" in str(error.value.hint)


@ON_ALL
def test_a_preset_opens_with_its_title_and_the_commands_to_use_it(name: str) -> None:
    lines = preset_path(name).read_text(encoding="utf-8").splitlines()
    assert lines[0] == f"# {name}: {preset_title(name)}"
    assert preset_title(name).startswith("OSNet x")
    assert f"#   reidctl train --preset {name} --root data" in lines
    assert f"#   reidctl eval runs/{name} --root data" in lines


@ON_ALL
def test_a_preset_says_nothing_that_is_not_about_its_network(name: str) -> None:
    values = read_preset(name).values
    assert set(values) == {"model", "losses", "data", "train", "eval"}
    assert not {"root", "workers", "image"} & values["data"].keys()


# The table of the four networks: width, linear gates, least images of an identity, label smoothing.
TABLE = {
    "retail-0248": ("fpn_osnet_x0_25", False, 1, 0.0),
    "retail-0265": ("fpn_osnet_x1_0", True, 8, 0.1),
    "retail-0267": ("fpn_osnet_x0_5", True, 8, 0.1),
    "retail-0270": ("fpn_osnet_x0_75", True, 8, 0.1),
}


@ON_ALL
def test_network_loss_and_data_are_those_of_the_table(name: str) -> None:
    model, lct_gate, least, smoothing = TABLE[name]
    config = with_defaults(load_config(name).config)
    assert config.model.name == model
    shared = {"embedding_dim": 256, "pooling": "conv", "input_norm": True, "activation": "prelu", "fpn": None}
    assert config.model.parameters.items() >= {**shared, "lct_gate": lct_gate, "extra_blocks": False}.items()
    (loss,) = config.losses
    assert (loss.name, loss.weight) == ("am_softmax", 1.0)
    assert loss.parameters == {
        "margin": 0.35,
        "scale": 30.0,
        "margin_type": "cos",
        "pr_product": True,
        "label_smoothing": smoothing,
        "confidence_penalty": 0.3,
        "focal_gamma": 0.0,
        "symmetric": 0.0,
        "adaptive_margins": False,
        "class_weighting": False,
        "scale_schedule": None,
    }
    assert config.data.sources == (Spec(name="msmt17", with_validation=True),)
    assert [spec.name for spec in config.data.targets] == ["market1501"]
    assert (config.data.combineall, config.data.min_images_per_identity) == (True, least)
    assert (config.data.sampler, config.data.images_per_identity, config.data.image.size) == (
        "identity_v2",
        4,
        (256, 128),
    )


@ON_ALL
def test_augmentations_come_in_the_original_order_with_the_tables_probabilities(name: str) -> None:
    specs = load_config(name).config.data.transforms
    assert [(spec.name, spec.parameters.get("p")) for spec in specs] == [
        ("random_grid", 0.15),
        ("random_figures", 0.33),
        ("random_padding", 0.25),
        ("resize", None),
        ("random_flip", 0.5),
        ("color_jitter", 0.8),
        ("random_gray", 0.1),
        ("random_rotate", 0.33),
        ("random_erase", 0.5),
    ]
    jitter = {"p": 0.8, "brightness": 0.15, "contrast": 0.15, "saturation": 0.1, "hue": 0.1}
    assert specs[5].parameters == jitter


@ON_ALL
def test_training_and_testing_are_those_of_the_table(name: str) -> None:
    config = load_config(name).config
    train = config.train
    assert (train.optimizer, train.lr, train.weight_decay, train.betas) == ("amsgrad", 0.0015, 0.0005, (0.9, 0.999))
    assert (train.epochs, train.batch_size, train.eval_every) == (65, 64, 5)
    assert (train.schedule, train.milestones, train.gamma, train.warmup_epochs) == ("multi_step", (40, 50), 0.1, 0)
    assert (train.fixbase_epochs, train.open_layers) == (5, ("fc", "global_avgpool"))
    assert (config.eval.batch_size, config.eval.metric, config.eval.rerank) == (300, "cosine", None)
    assert (config.preset, config.run_name, config.weights) == (name, name, None)


# Trainable parameters of the embedding networks as counted in the original.
PARAMETERS = {"retail-0248": 184_847, "retail-0265": 2_100_281, "retail-0267": 595_968, "retail-0270": 1_234_412}


@ON_ALL
def test_all_parts_of_a_preset_can_be_built(name: str) -> None:
    loaded = load_config(name)
    check_parts(loaded)
    config = loaded.config
    model = models.build(config.model, image_size=config.data.image.size)
    assert sum(parameter.numel() for parameter in model.parameters()) == PARAMETERS[name]
    assert {*config.train.open_layers} <= {child for child, _ in model.named_children()}
    loss = losses.build(
        Spec(name=config.losses[0].name, **config.losses[0].parameters),
        embedding_dim=model.embedding_dim,
        num_classes=5,
    )
    opened = [getattr(model, layer) for layer in config.train.open_layers]
    # What learns in the first stage: seven tensors of the network, and the classifier of the loss.
    assert sum(len(list(part.parameters())) for part in (*opened, loss)) == 8
    for spec in config.data.transforms:
        assert callable(transforms.build(spec, image_size=config.data.image.size))


SHORT = {"retail-quick": "retail-0248", "retail-tuned": "retail-0267"}


@pytest.mark.parametrize("name", SHORT)
def test_a_short_preset_opens_with_its_commands(name: str) -> None:
    lines = preset_path(name).read_text(encoding="utf-8").splitlines()
    assert lines[0] == f"# {name}: {preset_title(name)}"
    weights = " --weights retail-0267.onnx" if name == "retail-tuned" else ""
    assert {f"#   reidctl train --preset {name} --root data{weights}", f"#   reidctl eval runs/{name} --root data"} <= {
        *lines
    }


@pytest.mark.parametrize(("name", "network"), SHORT.items())
def test_a_short_preset_trains_a_published_network(name: str, network: str) -> None:
    loaded = load_config(name)
    check_parts(loaded)
    config, published = with_defaults(loaded.config), with_defaults(load_config(network).config)
    assert config.model == published.model
    assert config.data.image == published.data.image
    model = models.build(config.model, image_size=config.data.image.size)
    for spec in config.losses:
        losses.build(Spec(name=spec.name, **spec.parameters), embedding_dim=model.embedding_dim, num_classes=5)
    for spec in config.data.transforms:
        assert callable(transforms.build(spec, image_size=config.data.image.size))


@pytest.mark.parametrize("name", SHORT)
def test_a_short_preset_trains_and_tests_on_parts_of_one_data_set(name: str) -> None:
    data = load_config(name).config.data
    assert (data.sources, data.targets, data.combineall) == ((Spec(name="market1501"),),) * 2 + (False,)


def test_presets_are_found_wherever_the_program_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_config("retail-0267").config != RunConfig()


def test_the_folder_of_a_preset_with_its_package_has_no_colon() -> None:
    assert RunConfig(preset="acme:retail-0267").run_name == "acme-retail-0267"
