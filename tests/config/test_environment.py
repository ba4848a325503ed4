"""REIDCTL_TRAIN__EPOCHS=5 is train.epochs: 5."""

from __future__ import annotations

import subprocess
import sys

import pytest

from reidctl.config import load_config
from reidctl.config.environment import environment_layers
from reidctl.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("REIDCTL_TRAIN__EPOCHS", "5", {"train": {"epochs": 5}}),
        ("REIDCTL_SEED", "7", {"seed": 7}),
        ("reidctl_train__lr", "1e-3", {"train": {"lr": 0.001}}),
        ("REIDCTL_MODEL__LCT_GATE", "true", {"model": {"lct_gate": True}}),
        ("REIDCTL_TRAIN", "{epochs: 5, lr: 0.1}", {"train": {"epochs": 5, "lr": 0.1}}),
        ("REIDCTL_EVAL__RANKS", "[1, 3]", {"eval": {"ranks": [1, 3]}}),
        ("REIDCTL_EVAL__RERANK__K1", "5", {"eval": {"rerank": {"k1": 5}}}),
        ("REIDCTL_LOSSES__0__MARGIN", "0.4", {"losses": {"0": {"margin": 0.4}}}),
        ("REIDCTL_DATA__TRANSFORMS__1__P", "0.4", {"data": {"transforms": {"1": {"p": 0.4}}}}),
        ("REIDCTL_DATA__ROOT", "/data", {"data": {"root": "/data"}}),
    ],
)
def test_a_variable_is_one_layer_with_a_yaml_value(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, values: object
) -> None:
    monkeypatch.setenv(name, text)
    (layer,) = environment_layers()
    assert (layer.source, layer.values, layer.text) == (name, values, text)


def test_variables_that_steer_the_program_are_no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REIDCTL_DEBUG", "REIDCTL_PLUGINS", "REIDCTL_TEST_DATA", "REIDCTL_SOMETHING_FOREIGN", "REIDCT_SEED"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("REIDCTL_SEED", "3")
    assert [layer.source for layer in environment_layers()] == ["REIDCTL_SEED"]


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("REIDCTL_TRIAN__EPOCHS", "REIDCTL_TRIAN__EPOCHS: no such key 'trian.epochs'", "did you mean 'train'?"),
        ("REIDCTL_SEEED", "REIDCTL_SEEED: no such key 'seeed'", "did you mean 'seed'?"),
        ("REIDCTL_EPOCHS", "REIDCTL_EPOCHS: no such key 'epochs'", "did you mean REIDCTL_TRAIN__EPOCHS?"),
        (
            "REIDCTL_BATCHSIZE",
            "REIDCTL_BATCHSIZE: no such key 'batchsize'",
            "did you mean REIDCTL_TRAIN__BATCH_SIZE or REIDCTL_EVAL__BATCH_SIZE?",
        ),
        ("REIDCTL_XYZ__EPOCHS", "REIDCTL_XYZ__EPOCHS: no such key 'xyz.epochs'", None),
        ("REIDCTL_TRAIN__EPOCHSS", "REIDCTL_TRAIN__EPOCHSS: train.epochss: no such key", "did you mean 'epochs'?"),
    ],
)
def test_a_mistyped_variable_is_an_error_with_the_nearest_key(
    monkeypatch: pytest.MonkeyPatch, name: str, message: str, hint: str | None
) -> None:
    monkeypatch.setenv(name, "5")
    with pytest.raises(ConfigError) as error:
        load_config()
    assert (str(error.value), error.value.hint) == (message, hint)


def test_a_value_that_does_not_fit_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REIDCTL_TRAIN__EPOCHS", "many")
    with pytest.raises(ConfigError, match=r'^REIDCTL_TRAIN__EPOCHS: train\.epochs: .*integer \(got "many"\)$'):
        load_config()


def test_a_value_that_is_no_yaml_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REIDCTL_EVAL__RANKS", "[1, 2")
    with pytest.raises(ConfigError, match=r"^REIDCTL_EVAL__RANKS:1:6: "):
        load_config()


def test_text_that_looks_like_a_number_stays_text_where_text_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REIDCTL_RUN", "0267")
    assert load_config().config.run == "0267"


def test_a_clean_environment_leaves_the_settings_library_unimported() -> None:
    code = "import sys, reidctl.config as c; c.load_config(); print('pydantic_settings' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
