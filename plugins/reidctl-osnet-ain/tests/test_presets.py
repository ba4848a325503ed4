"""The presets: complete, cosine, and through ONNX to OpenVINO."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reidctl
from reidctl_osnet_ain import PRESETS

NAMES = sorted(path.stem for path in PRESETS.glob("*.yaml"))
ON_ALL = pytest.mark.parametrize("name", NAMES)


def _reidctl(*arguments: str | Path) -> str:
    ended = subprocess.run([sys.executable, "-m", "reidctl", *arguments], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_every_file_is_a_registered_preset() -> None:
    listed = json.loads(_reidctl("plugins", "list", "--kind", "preset", "--json"))["plugins"]
    assert sorted(row["name"] for row in listed if row["package"] == "reidctl-osnet-ain") == NAMES
    assert len(NAMES) == 2


@ON_ALL
def test_a_preset_is_valid_and_its_rate_falls_along_a_cosine(name: str) -> None:
    _reidctl("config", "validate", PRESETS / f"{name}.yaml")
    config: dict[str, Any] = json.loads(_reidctl("config", "show", "--preset", name, "--json"))["config"]
    assert config["train"]["schedule"] == "cosine"
    assert config["model"]["name"].startswith("osnet_ain")


@ON_ALL
def test_a_preset_opens_with_its_title_and_the_commands_to_use_it(name: str) -> None:
    first, _, train, test, *_ = (PRESETS / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    assert first.startswith(f"# {name}: OSNet-AIN")
    assert train == f"#   reidctl train --preset {name} --root data"
    assert test == f"#   reidctl eval runs/{name} --root data"


@ON_ALL
def test_a_network_goes_to_onnx_and_to_ir_and_embeds_alike(name: str, tmp_path: Path) -> None:
    # Both are compared with the network that they were made from before they get their names.
    onnx = reidctl.export_onnx(name, tmp_path / "net.onnx")
    ir = reidctl.export_ir(onnx, tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (1, 256, 128, 3), dtype=np.uint8)
    one, other = (reidctl.open_embedder(path, precision="f32") for path in (onnx, ir))
    assert one.info.model == other.info.model
    np.testing.assert_allclose(one.embed_batch(images), other.embed_batch(images), rtol=0, atol=1e-4)
