"""`reidctl config`: what it prints is what a run gets."""

import json
from pathlib import Path

import pytest

from reidctl.config import RunConfig, load_config
from tests.conftest import Cli


def test_show_prints_a_configuration_that_loads_back(cli: Cli, tmp_path: Path) -> None:
    result = cli("config", "show", "--preset", "retail-0265", "--set", "train.epochs=3", "--root", "/images")
    (tmp_path / "run.yaml").write_text(result.out)
    again = load_config(files=[tmp_path / "run.yaml"]).config
    assert again == load_config("retail-0265", sets=["train.epochs=3", "data.root=/images"]).config
    assert again.train.epochs == 3
    assert again.data.root == Path("/images")


def test_origins_name_the_option_the_variable_and_the_line(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("train:\n  lr: 0.5\n  epochs: 9\n")
    monkeypatch.setenv("REIDCTL_TRAIN__BATCH_SIZE", "16")
    result = cli("config", "show", "-c", file, "--set", "seed=3", "--root", "here", "--origin", "--json")
    origins = json.loads(result.out)["origins"]
    assert origins["train.lr"] == f"{file}:2:7"
    assert origins["train.batch_size"] == "REIDCTL_TRAIN__BATCH_SIZE"
    assert origins["seed"] == "--set seed"
    assert origins["data.root"] == "--root"
    assert origins["eval.flip"] == "default"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--set", "train.epcohs=3"], "train.epcohs: no such key"),
        (["--set", "train.epochs=0"], "train.epochs: should be greater than or equal to 1 (got 0)"),
        (["--set", "nonsense"], "--set nonsense: not key=value"),
        (["--preset", "retail-0276"], "no preset named 'retail-0276'"),
        (["-c", "missing.yaml"], "missing.yaml: No such file or directory"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(cli: Cli, arguments: list[str], line: str) -> None:
    result = cli("config", "show", *arguments)
    assert result.code == 2
    assert result.out == ""
    assert result.err.splitlines()[0].endswith(line)


def test_init_writes_a_file_that_validates_and_is_not_replaced(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    assert cli("config", "init", "--preset", "retail-0248", "-o", file).code == 0
    assert cli("config", "validate", file).code == 0
    file.write_text("mine")
    again = cli("config", "init", "-o", file)
    assert again.code == 2
    assert file.read_text() == "mine"
    assert cli("config", "init", "-o", file, "--force").code == 0


def test_validate_checks_the_parameters_of_parts(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("losses:\n  - {name: am_softmax, margn: 0.3}\n")
    result = cli("config", "validate", file)
    assert result.code == 2
    assert result.err == f"error: {file}:2:31: losses.0.margn: no such key\nhint:  did you mean 'margin'?\n"


def test_the_schema_knows_the_keys_and_the_parts(cli: Cli) -> None:
    schema = json.loads(cli("config", "schema").out)
    assert set(schema["properties"]) == set(RunConfig.model_fields)
    losses = {part["properties"]["name"]["const"]: part for part in schema["$defs"]["loss-part"]["anyOf"][:-1]}
    assert losses["am_softmax"]["properties"]["margin"]["default"] == 0.35
    assert "weight" in losses["triplet"]["properties"]


def test_convert_maps_what_it_can_and_lists_the_rest(cli: Cli, tmp_path: Path) -> None:
    old = tmp_path / "old.yaml"
    old.write_text("model:\n  name: fpn_osnet_x0_5\ntrain:\n  lr: 0.01\ntest:\n  visactmap: True\n")
    new = tmp_path / "new.yaml"
    result = cli("config", "convert", old, "-o", new)
    assert result.code == 0
    assert "test.visactmap" in result.err
    config = load_config(files=[new]).config
    assert config.model.name == "fpn_osnet_x0_5"
    assert config.train.lr == 0.01


def test_convert_writes_the_file_beside_the_json(cli: Cli, tmp_path: Path) -> None:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text("model:\n  name: fpn_osnet_x0_5\n")
    result = cli("config", "convert", old, "-o", new, "--json")
    assert json.loads(result.out)["config"]["model"]["name"] == "fpn_osnet_x0_5"
    assert load_config(files=[new]).config.model.name == "fpn_osnet_x0_5"
