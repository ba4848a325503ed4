"""From defaults, preset, files, environment, flags and --set to one configuration: who wins, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from reidctl.config import RunConfig, load_config
from reidctl.config.layers import Layer
from reidctl.errors import ConfigError, MissingPackage, UnknownName
from tests.conftest import Packages


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_nothing_given_is_the_defaults() -> None:
    loaded = load_config()
    assert loaded.config == RunConfig()
    assert {str(origin) for origin in loaded.given.origins.values()} == {"default"}


def test_set_wins_over_flags_over_environment_over_files_over_preset_over_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = write(tmp_path / "a.yaml", "train: {epochs: 11, batch_size: 12, lr: 0.13, momentum: 0.14, gamma: 0.15}\n")
    second = write(tmp_path / "b.yaml", "train: {epochs: 21, batch_size: 24, lr: 0.23, momentum: 0.24}\n")
    monkeypatch.setenv("REIDCTL_TRAIN__EPOCHS", "51")
    monkeypatch.setenv("REIDCTL_TRAIN__BATCH_SIZE", "32")
    monkeypatch.setenv("REIDCTL_TRAIN__LR", "0.33")
    flags = [Layer("--epochs", {"train": {"epochs": 61, "batch_size": 44}})]
    train = load_config("retail-0267", [first, second], ["train.epochs=71"], flags).config.train
    assert (train.epochs, train.batch_size, train.lr, train.momentum, train.gamma) == (71, 44, 0.33, 0.24, 0.15)
    assert train.milestones == (40, 50)
    assert train.weight_decay == RunConfig().train.weight_decay


def test_the_environment_can_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REIDCTL_TRAIN__EPOCHS", "51")
    monkeypatch.setenv("REIDCTL_SEEED", "5")
    assert load_config(environment=False).config == RunConfig()


def test_the_later_of_two_sets_wins() -> None:
    assert load_config(sets=["seed=1", "seed=2"]).config.seed == 2


def test_set_takes_yaml_values_and_reaches_into_lists_and_parts() -> None:
    config = load_config(
        "retail-0267",
        sets=["losses.0.margin=0.4", "data.transforms.3.interpolation=x", "eval.rerank={k1: 5}", "eval.ranks=[1, 3]"],
    ).config
    assert config.losses[0].parameters["margin"] == 0.4
    assert config.losses[0].parameters["scale"] == 30.0
    assert config.data.transforms[3].name == "resize"
    assert config.data.transforms[3].parameters == {"interpolation": "x"}
    assert config.eval.rerank is not None
    assert config.eval.rerank.k1 == 5
    assert config.eval.ranks == (1, 3)


def test_another_model_drops_the_parameters_of_the_presets() -> None:
    assert load_config("retail-0267", sets=["model=osnet_x1_0"]).config.model.parameters == {}


def test_text_that_looks_like_a_number_stays_text_where_text_is_wanted() -> None:
    assert load_config(sets=["run=0267"]).config.run == "0267"
    with pytest.raises(ConfigError, match=r"^train\.epochs: "):
        load_config(sets=["train.epochs=many"])


@pytest.mark.parametrize(
    ("text", "key"),
    [("data={root: 2024}", "data: data.root"), ("train.new_layers=[fc, 0267]", "train.new_layers: train.new_layers.1")],
)
def test_what_was_typed_for_several_keys_is_the_text_of_none(text: str, key: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(sets=["train.base_lr_mult=0.1", text])
    assert str(error.value).startswith(f"--set {key}: should be a")


@pytest.mark.parametrize("text", ["train.epochs", "=5", "train..epochs=5", ".seed=5", ""])
def test_a_set_without_key_or_value_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="not key=value"):
        load_config(sets=[text])


@pytest.mark.parametrize("key", ["x[", "int", "none", "train.int", "data.image.str", "eval.tuple[int]"])
def test_a_key_that_looks_like_a_type_is_a_key_that_does_not_exist(key: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(sets=[f"{key}=1"])
    assert str(error.value) == f"{key}: no such key"


def test_an_item_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^--set losses\.1\.margin: losses\.1: there are only 1 items"):
        load_config(sets=["losses.1.margin=0.4"])


def test_a_file_may_name_its_preset(tmp_path: Path) -> None:
    path = write(tmp_path / "run.yaml", "preset: retail-0270\nseed: 3\n")
    config = load_config(files=[path]).config
    assert (config.preset, config.model.name, config.seed) == ("retail-0270", "fpn_osnet_x0_75", 3)
    assert load_config("retail-0270", [path]).config == config


@pytest.mark.parametrize("how", ["file", "environment", "set"])
def test_naming_two_presets_is_a_contradiction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    files = [write(tmp_path / "run.yaml", "preset: retail-0270\n")] if how == "file" else []
    if how == "environment":
        monkeypatch.setenv("REIDCTL_PRESET", "retail-0270")
    with pytest.raises(ConfigError, match="'retail-0270' contradicts 'retail-0267'"):
        load_config("retail-0267", files, ["preset=retail-0270"] if how == "set" else [])


@pytest.mark.parametrize("how", ["environment", "set"])
def test_a_preset_is_laid_under_wherever_it_is_named(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    if how == "environment":
        monkeypatch.setenv("REIDCTL_PRESET", "retail-0267")
    config = load_config(sets=["preset=retail-0267"] if how == "set" else []).config
    assert config == load_config("retail-0267").config


def test_a_file_written_without_a_preset_can_be_laid_over_one(tmp_path: Path) -> None:
    path = write(tmp_path / "run.yaml", "preset: null\nseed: 3\n")
    assert load_config("retail-0267", [path]).config.preset == "retail-0267"


def test_a_preset_that_is_no_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"run\.yaml: preset: should be a preset's name \(got 5\)"):
        load_config(files=[write(tmp_path / "run.yaml", "preset: 5\n")])
    with pytest.raises(UnknownName, match="no preset named 'retail-0276'"):
        load_config("retail-0276")


def test_a_wrong_value_names_file_line_and_key(tmp_path: Path) -> None:
    path = write(tmp_path / "run.yaml", "train:\n  lr: -1\n")
    with pytest.raises(ConfigError) as error:
        load_config(files=[path])
    assert str(error.value) == f"{path}:2:7: train.lr: should be greater than 0 (got -1)"


def test_a_mistyped_key_names_file_line_and_the_nearest(tmp_path: Path) -> None:
    path = write(tmp_path / "run.yaml", "train:\n  epoch: 5\n")
    with pytest.raises(ConfigError) as error:
        load_config(files=[path])
    assert str(error.value) == f"{path}:2:10: train.epoch: no such key"
    assert error.value.hint == "did you mean 'epochs'?"


def test_a_mistyped_part_names_its_place_and_the_nearest() -> None:
    with pytest.raises(UnknownName) as error:
        load_config(sets=["losses.0.name=am_softmaxx"])
    assert str(error.value) == "losses.0.name: no loss named 'am_softmaxx'"
    assert error.value.hint == "did you mean 'am_softmax'?"


def test_a_part_of_a_package_of_ours_that_is_not_installed_says_where_it_stands(packages: Packages) -> None:
    with pytest.raises(MissingPackage) as error:
        load_config(sets=["losses.0.name=pml/ContrastiveLoss"])
    assert str(error.value).startswith("losses.0.name: 'pml/ContrastiveLoss' is in the package reidctl-metric-learning")
    assert error.value.exit_code == 3


@pytest.mark.parametrize(
    ("sets", "problem"),
    [
        (["train.batch_size=63"], "batch_size 63 is no multiple"),
        (["train.schedule=multi_step"], "needs train.milestones"),
        (["train.milestones=[5, 5]"], "do not rise"),
        (["train.fixbase_epochs=2"], "needs train.open_layers"),
        (["train.warmup_epochs=60"], "leaves none of 60 epochs: set it to 59 or less$"),
        (["train.warmup_epochs=1", "train.epochs=1"], "leaves none of 1 epochs: set it to 0$"),
        (["data.combineall=true"], "test images of the target 'market1501'"),
    ],
)
def test_values_that_contradict_each_other_are_refused(sets: list[str], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        load_config(sets=sets)


def test_a_source_may_be_combined_with_another_of_its_kind_as_target_and_with_itself_when_allowed() -> None:
    other = "data={combineall: true, sources: [{name: csv, file: a.csv}], targets: [{name: csv, file: b.csv}]}"
    assert load_config(sets=[other]).config.data.combineall
    assert load_config(sets=["data.combineall=true", "data.allow_leakage=true"]).config.data.combineall
