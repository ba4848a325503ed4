"""Listings and descriptions of parts."""

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from reidctl.cli.doctor import PURPOSES
from reidctl.registry import REGISTRIES, presets
from tests.conftest import Cli

LISTED = [registry.plural for registry in REGISTRIES if registry.kind != "command"]


@pytest.mark.parametrize("plural", LISTED)
def test_list_names_what_is_registered(cli: Cli, plural: str) -> None:
    registry = next(registry for registry in REGISTRIES if registry.plural == plural)
    rows = json.loads(cli(plural, "list", "--json").out)[plural]
    assert [row["name"] for row in rows] == registry.names()


def test_info_shows_parameters_from_the_signature(cli: Cli) -> None:
    found = json.loads(cli("losses", "info", "am_softmax", "--json").out)
    margin = next(row for row in found["parameters"] if row["name"] == "margin")
    assert margin["default"] == "0.35"
    assert margin["type"].startswith("number")


def test_info_of_a_preset_is_its_file(cli: Cli) -> None:
    assert cli("presets", "info", "retail-0267").out.startswith("# retail-0267")


def test_every_preset_has_a_title(cli: Cli) -> None:
    rows = json.loads(cli("presets", "list", "--json").out)["presets"]
    assert [row["name"] for row in rows if len(row["title"]) < 10] == []
    assert len(rows) == len(presets.names())


@pytest.mark.parametrize(
    ("preset", "published", "folded", "plain"),
    [
        ("retail-0248", 0.174, 0.183, 0.185),
        ("retail-0265", 1.993, 2.103, 2.100),
        ("retail-0267", 0.564, 0.594, 0.596),
        ("retail-0270", 1.170, 1.234, 1.234),
    ],
)
def test_presets_cost_what_is_published(cli: Cli, preset: str, published: float, folded: float, plain: float) -> None:
    cost = json.loads(cli("models", "info", preset, "--json").out)["complexity"]
    assert round(cost["published_gflops"], 3) == published
    stated = json.loads(cli("models", "info", preset, "--json").out)["published"]
    assert (stated["gflops"], stated["preset"]) == (published, preset)
    assert stated["mparams"] == pytest.approx(folded, abs=0.0011)
    assert round(cost["folded_parameters"] / 1e6, 3) == folded
    assert round(cost["parameters"] / 1e6, 3) == plain


def test_an_unknown_name_suggests_the_nearest(cli: Cli) -> None:
    result = cli("losses", "info", "tripet")
    assert result.code == 2
    assert result.err == "error: no loss named 'tripet'\nhint:  did you mean 'triplet'?\n"


def test_plugins_check_imports_every_built_in_loss(cli: Cli) -> None:
    result = cli("plugins", "check", "--kind", "loss", "--json")
    assert result.code == 0
    assert {row["status"] for row in json.loads(result.out)["plugins"]} == {"ok"}


def test_plugins_list_of_an_unknown_kind_suggests_the_nearest(cli: Cli) -> None:
    result = cli("plugins", "list", "--kind", "los")
    assert result.code == 2
    assert "did you mean 'loss'?" in result.err


def test_doctor_reports_versions_and_devices(cli: Cli) -> None:
    found = json.loads(cli("doctor", "--json").out)
    assert found["packages"]["torch"]
    assert found["cpu"]["cores"] >= 1
    assert "CPU" in found["openvino"]


def test_a_family_is_one_line_and_its_members_are_listed_on_demand(cli: Cli) -> None:
    rows = json.loads(cli("models", "list", "--json").out)["models"]
    assert [row["name"] for row in rows if row["name"].startswith("timm/")] == ["timm/*"]
    members = json.loads(cli("models", "list", "--family", "timm", "--json").out)["models"]
    assert {"timm/resnet50", "timm/vit_tiny_patch16_224"} <= {row["name"] for row in members}
    assert {(row["package"], row["target"]) for row in members} == {(rows[-1]["package"], rows[-1]["target"])}


def test_a_family_that_is_not_there_suggests_the_nearest(cli: Cli) -> None:
    result = cli("models", "list", "--family", "tim")
    assert (result.code, result.err) == (2, "error: no model named 'tim/*'\nhint:  did you mean 'timm/*'?\n")


def test_info_of_a_member_shows_its_parameters_and_cost(cli: Cli) -> None:
    found = json.loads(cli("models", "info", "timm/resnet18", "--json").out)
    assert [row["name"] for row in found["parameters"]] == [
        "embedding_dim",
        "activation",
        "pooling",
        "dropout",
        "pretrained",
    ]
    # torchvision's ResNet-18 has 11,176,512 without classifier; the head is 512·512 + 512, 2·512 and one slope.
    assert found["complexity"]["parameters"] == 11_176_512 + 512 * 512 + 512 + 2 * 512 + 1


def test_info_of_a_family_points_to_its_members(cli: Cli) -> None:
    result = cli("models", "info", "timm/*")
    assert result.code == 2
    assert "`reidctl models list --family timm` names its members" in result.err


def test_the_schema_takes_every_member_of_a_family(cli: Cli) -> None:
    choices = json.loads(cli("config", "schema").out)["$defs"]["model-part"]["anyOf"]
    patterns = [choice["pattern"] for choice in choices if "pattern" in choice]
    named = [choice["properties"]["name"].get("pattern") for choice in choices if "properties" in choice]
    assert patterns == [pattern for pattern in named if pattern] == ["^timm/."]
    assert not any("*" in name for choice in choices for name in choice.get("enum", []))


def test_info_of_a_model_that_is_not_there_suggests_the_nearest(cli: Cli) -> None:
    result = cli("models", "info", "osnet_x0_26")
    assert (result.code, result.err) == (2, "error: no model named 'osnet_x0_26'\nhint:  did you mean 'osnet_x0_25'?\n")


def test_a_broken_preset_is_one_warning_beside_the_others(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[reidctl.api]\nversion = v1\n[reidctl.presets]\nlost = no_such_library:FOLDER\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    ended = subprocess.run(
        [sys.executable, "-m", "reidctl", "presets", "list", "--json"], capture_output=True, text=True, check=False
    )
    titles = {row["name"]: row["title"] for row in json.loads(ended.stdout)["presets"]}
    assert titles.keys() == {"lost", *presets.names()}
    assert [name for name, title in titles.items() if not title] == ["lost"]
    (line,) = ended.stderr.splitlines()
    assert line.startswith("warning: preset 'lost' from acme 1.0 (no_such_library:FOLDER) does not import: Module")


def test_doctor_looks_for_everything_that_is_needed(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [requires for requires in metadata.requires("reidctl") or [] if "extra" not in requires]
    real = metadata.version

    def without_umap(package: str) -> str:
        if package == "umap-learn":
            raise metadata.PackageNotFoundError
        return "1.5" if package == "scikit-learn" else real(package)

    monkeypatch.setattr(metadata, "version", without_umap)
    found = json.loads(cli("doctor", "--json").out)
    assert len(found["packages"]) == len(asked)
    assert {"matplotlib", "onnx", "safetensors"} <= found["packages"].keys()
    assert found["extras"].keys() == {"int8", "search", "tensorboard", "viz"} == PURPOSES.keys()
    assert found["extras"]["viz"] is None
    optional = [line for line in cli("doctor").err.splitlines() if "reidctl[viz]" in line]
    assert optional == ["optional, for `--umap` of reports: pip install 'reidctl[viz]'"]
