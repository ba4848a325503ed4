"""Every artefact through every command that takes one: each says what feeds it, so no command knows which it has."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from reidctl.config import load_config
from reidctl.export import export_ir, export_onnx, verification
from reidctl.registry import runtimes
from reidctl.runtimes import opening
from reidctl.training.checkpoint import build_model, describe, save_checkpoint
from reidctl.types import Sample
from tests.conftest import Cli, Result
from tests.runtimes.artefacts import pictures

pytestmark = pytest.mark.slow

PEOPLE = "{name: synthetic, train_identities: 2, test_identities: 3, cameras: 2, images_per_camera: 2}"
KINDS = [
    *("checkpoint", "run folder", "onnx", "onnx raw", "onnx unit length", "ir fp32", "ir fp16", "ir u8-nhwc"),
    *("ir int8", "ir int8 u8-nhwc"),
]
FEW = {"visrank": ["--worst", "2", "--topk", "2"], "visact": ["--limit", "2"]}
CLOSE = {"ir fp16": 1e-4, "ir int8": 0.1, "ir int8 u8-nhwc": 0.1}
"""Cosine distance to the checkpoint's embeddings; 1e-6 where nothing is rounded."""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    sets = ["model={name: timm/test_resnet, embedding_dim: 32}", "data.image={height: 64, width: 32}"]
    config = load_config(sets=sets).config
    model = build_model(config)
    path = tmp_path_factory.mktemp("artefacts") / "net.safetensors"
    save_checkpoint(path, model, config, describe(model, config))
    return path


@pytest.fixture(scope="module")
def artefact(checkpoint: Path) -> Callable[[str], Path]:
    """Each is made when it is first asked for."""
    made: dict[str, Path] = {"checkpoint": checkpoint}
    folder = checkpoint.parent

    def get(kind: str) -> Path:
        if kind not in made:
            made[kind] = make(kind)
        return made[kind]

    def make(kind: str) -> Path:
        if kind == "run folder":
            (folder / "run" / "weights").mkdir(parents=True)
            return Path(shutil.copy(checkpoint, folder / "run" / "weights" / "best.safetensors")).parents[1]
        if kind.startswith("onnx"):
            return export_onnx(
                *(checkpoint, folder / f"{kind}.onnx"),
                raw_input="raw" in kind,
                l2_normalize="unit" in kind,
                verify=False,
            )
        settings: dict[str, Any] = {"input": "u8-nhwc" if "u8" in kind else "bgr", "verify": False}
        if "int8" in kind:
            pytest.importorskip("nncf", reason="INT8 needs the extra [int8]")
            settings |= {"weights": "int8", "calibration": calibration()}
        elif "fp16" in kind:
            settings["weights"] = "fp16"
        return export_ir(get("onnx"), folder / kind, **settings)

    return get


def calibration() -> list[Sample]:
    return [Sample(partial(Image.fromarray, one), str(i), 0, 0) for i, one in enumerate(pictures(8, 64, 32))]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines in this process: that others are apart is tested where they are (tests/runtimes, tests/export)."""
    monkeypatch.setattr(opening, "IsolatedRuntime", runtimes.build)

    def run(function: Callable[..., Any], *arguments: Any, timeout_s: float) -> Any:
        return function(*arguments)

    monkeypatch.setattr(verification, "run_in_child", run)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for name, picture in zip("abc", pictures(3, 90, 40), strict=True):
        Image.fromarray(picture).save(folder / f"{name}.png")
    return folder


def _tested(cli: Cli, reference: Path) -> Any:
    """What the checkpoint reaches, computed once."""
    if reference not in _reached:
        _reached[reference] = fine(cli("eval", reference, "--data", PEOPLE, "--json"))["targets"]["synthetic"]
    return _reached[reference]


_reached: dict[Path, Any] = {}


def fine(result: Result) -> Any:
    assert result.code == 0, result.err
    return json.loads(result.out)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("kind", KINDS)
def test_every_command_takes_it(
    cli: Cli, artefact: Callable[[str], Path], images: Path, tmp_path: Path, kind: str
) -> None:
    model, reference = artefact(kind), artefact("checkpoint")
    scores = fine(cli("eval", model, "--data", PEOPLE, "--json"))["targets"]["synthetic"]
    expected = _tested(cli, reference)
    assert scores["mAP"] == pytest.approx(expected["mAP"], abs=1e-6 if kind not in CLOSE else 0.5)
    compared = fine(cli("verify", reference, model, "--images", images, "--json"))
    assert compared["ok"]
    assert 1 - compared["difference"]["cosine_min"] < CLOSE.get(kind, 1e-6)
    features = tmp_path / "features.parquet"
    assert cli("embed", images, "-m", model, "-o", features).code == 0
    found = fine(cli("search", images / "b.png", features, "-m", model, "-k", "3", "--json"))["results"]
    assert found[0]["name"] == "b"
    assert found[0]["distance"] == pytest.approx(0, abs=1e-5)
    for command in ("visrank", "visact"):
        drawn = cli(command, model, "--data", PEOPLE, "-o", tmp_path / command, *FEW[command])
        assert drawn.code == 0, drawn.err
        assert len(list((tmp_path / command / "synthetic").iterdir())) == 2


def test_every_artefact_is_measured(cli: Cli, artefact: Callable[[str], Path]) -> None:
    made = [artefact(kind) for kind in KINDS if "int8" not in kind or _has_nncf()]
    options = ("--precision", "f32", "--batch", "1", "--hint", "latency", "--seconds", "0.1", "--repeats", "1")
    rows = fine(cli("bench", *made, *options, "--json"))["rows"]
    assert len(rows) >= len(made)
    assert [row["error"] for row in rows if row.get("error")] == []


def test_embeddings_are_those_of_the_checkpoint(artefact: Callable[[str], Path]) -> None:
    from reidctl.runtimes import open_embedder

    given = list(pictures(4, 70, 50))
    expected = open_embedder(artefact("checkpoint")).embed(given)
    for kind in KINDS[2:8]:
        vectors = open_embedder(artefact(kind)).embed(given)
        cosines = (vectors * expected).sum(1) / np.linalg.norm(vectors, axis=1) / np.linalg.norm(expected, axis=1)
        assert cosines.min() > 1 - CLOSE.get(kind, 1e-6)


def _has_nncf() -> bool:
    from importlib.util import find_spec

    return find_spec("nncf") is not None
