"""Backbones of timm through training, checkpoints and export."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from reidctl.config import RunConfig, load_config
from reidctl.config.parts import with_defaults
from reidctl.export import export_onnx
from reidctl.runtimes import open_embedder
from reidctl.training.checkpoint import build_model, describe, load_checkpoint, save_checkpoint
from reidctl.training.trainer import dry_run

PEOPLE = "{name: synthetic, train_identities: 8, test_identities: 1, cameras: 2, images_per_camera: 2}"


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def configured(model: str, height: int = 64, width: int = 32) -> RunConfig:
    sets = [f"model={model}", f"data.image={{height: {height}, width: {width}}}", "device=cpu", "data.workers=0"]
    sets += [f"data.sources=[{PEOPLE}]", "data.targets=[]", "train.batch_size=8", "data.images_per_identity=2"]
    return load_config(sets=sets).config


def saved(config: RunConfig, path: Path) -> Path:
    torch.manual_seed(0)
    network = build_model(config, restoring=True)
    # Fresh statistics would hide a batch norm that was folded wrongly.
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, std=0.1)  # type: ignore[arg-type]
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)  # type: ignore[arg-type]
    save_checkpoint(path, network, config, describe(network, config))
    return path


def pictures(count: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "mobilenetv4_conv_small"])
def test_one_step_of_training_is_taken(name: str) -> None:
    config = configured(f"timm/{name}")
    plan, step = dry_run(config)
    assert plan.model == f"timm/{name}"
    assert plan.folder == config.runs / f"timm-{name}"
    assert np.isfinite(step.loss)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        pytest.param("resnet50", (64, 32), marks=pytest.mark.slow),
        pytest.param("convnext_atto", (64, 32), marks=pytest.mark.slow),
        pytest.param("vit_tiny_patch16_224", (256, 128), marks=pytest.mark.slow),
        pytest.param("mobilenetv4_conv_small", (64, 32), marks=pytest.mark.slow),
        # The kind that is least like our own networks, with fewer layers.
        ("test_vit", (256, 128)),
    ],
)
def test_a_checkpoint_and_its_export_give_the_same_embeddings(name: str, size: tuple[int, int], tmp_path: Path) -> None:
    config = with_defaults(configured(f"timm/{name}", *size))
    checkpoint = saved(config, tmp_path / "net.safetensors")
    opened = open_embedder(checkpoint, device="cpu")
    images = pictures(3, *size)
    network = load_checkpoint(checkpoint).build()
    image = opened.info.image
    inputs = torch.from_numpy(((images / 255 - image.mean) / image.std).transpose(0, 3, 1, 2)).float()
    with torch.no_grad():
        expected = network(inputs).numpy()
    np.testing.assert_allclose(opened.embed_batch(images), expected, rtol=1e-3, atol=1e-4)

    exported = export_onnx(checkpoint, tmp_path / "net.onnx")
    graph = onnx.load(exported)
    assert [(entry.domain, entry.version) for entry in graph.opset_import] == [("", 18)]
    sides = graph.graph.input[0].type.tensor_type.shape.dim
    assert [side.dim_param or side.dim_value for side in sides] == ["batch", 3, *size]
    found = open_embedder(exported, device="cpu", precision="f32")
    for count in (1, 3):
        embeddings = found.embed_batch(images[:count])
        np.testing.assert_allclose(embeddings, expected[:count], rtol=1e-3, atol=1e-4)
    assert (found.info.image.mean, found.info.image.std) == (image.mean, image.std)


def test_a_checkpoint_that_began_with_published_weights_opens_without_the_network(tmp_path: Path) -> None:
    model = "{name: timm/vit_tiny_patch16_224, pretrained: true, pooling: gmp}"
    checkpoint = saved(with_defaults(configured(model)), tmp_path / "net.safetensors")
    assert load_checkpoint(checkpoint).config.model.parameters["pretrained"] is True
    assert open_embedder(checkpoint, device="cpu").embed_batch(pictures(2, 64, 32)).shape == (2, 512)


def test_published_weights_without_a_network_are_one_line(tmp_path: Path) -> None:
    line = ["train", "--dry-run", "--set", "model={name: timm/mobilenetv4_conv_small, pretrained: true}"]
    line += ["--set", f"data.sources=[{PEOPLE}]", "--set", "data.targets=[]", "--set", "data.workers=0"]
    line += ["--set", "train.batch_size=8", "--set", "data.images_per_identity=2"]
    ended = subprocess.run(
        [sys.executable, "-m", "reidctl", *line],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    error, hint = ended.stderr.splitlines()
    assert error.startswith("error: the published weights of timm/mobilenetv4_conv_small are not here and cannot be")
    assert hint.startswith("hint:  connect to the network once")
