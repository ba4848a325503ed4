"""Artefacts that tests open: networks whose embeddings two lines of numpy can tell, and one real one, exported."""

from __future__ import annotations

import contextlib
import copy
import io
import os
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import onnx
import pytest
import torch
from filelock import FileLock
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from reidctl.cli.app import build
from reidctl.cli.boundary import guarded
from reidctl.config import RunConfig
from reidctl.training.checkpoint import Checkpoint, build_model, describe, load_checkpoint, save_checkpoint
from reidctl.types import ArtefactInfo, ImageSpec, Spec
from tests.conftest import log_put_back

HEIGHT, WIDTH = 32, 16
SMALL = ImageSpec(height=HEIGHT, width=WIDTH)
MEAN, STD = np.array(SMALL.mean), np.array(SMALL.std)
WEIGHT = np.array([[1.0, 0.5, -2.0, 0.25], [0.0, 3.0, 1.0, -1.0], [2.0, -1.0, 0.5, 4.0]], np.float32)  # [3, D]


def pictures(count: int, height: int = HEIGHT, width: int = WIDTH, seed: int = 0) -> NDArray[np.uint8]:
    """uint8 RGB [count, H, W, 3]; each has colours of its own."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 200, (count, 1, 1, 3))
    return (colours + rng.integers(0, 56, (count, height, width, 3))).astype(np.uint8)


def mean_colours(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What the network of `colour_onnx` gives for images [B, H, W, 3] once normalised: mean colour times WEIGHT."""
    return ((images / 255 - MEAN) / STD).mean(axis=(1, 2)) @ WEIGHT


def mean_bgr(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What it gives for BGR 0…255."""
    return images[..., ::-1].mean(axis=(1, 2)) @ WEIGHT


def colour_onnx(
    path: Path,
    shape: tuple[Any, ...] = ("batch", 3, HEIGHT, WIDTH),
    *,
    weight: NDArray[np.float32] = WEIGHT,
    info: ArtefactInfo | None = None,
    flat: bool = True,
    outputs: tuple[str, ...] = ("reid_embedding",),
    inputs: tuple[str, ...] = ("data",),
) -> Path:
    """An ONNX file whose embedding is the mean colour times `weight`; the first of `outputs` is its double."""
    axes = [1, 2] if shape[3] == 3 and shape[1] != 3 else [2, 3]
    dim = weight.shape[1]
    nodes = [
        helper.make_node("ReduceMean", [inputs[0], "axes"], ["colour"], keepdims=0),
        helper.make_node("MatMul", ["colour", "weight"], [outputs[-1] if flat else "flat"]),
    ]
    constants = [
        numpy_helper.from_array(np.array(axes, np.int64), "axes"),
        numpy_helper.from_array(weight.astype(np.float32), "weight"),
    ]
    if not flat:
        constants.append(numpy_helper.from_array(np.array([2, 3], np.int64), "last"))
        nodes.append(helper.make_node("Unsqueeze", ["flat", "last"], [outputs[-1]]))
    nodes += [helper.make_node("Add", [outputs[-1], outputs[-1]], [name]) for name in outputs[:-1]]
    out_shape = (shape[0], dim) if flat else (shape[0], dim, 1, 1)
    graph = helper.make_graph(
        nodes,
        "colour",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, out_shape) for name in outputs],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    if info is not None:
        helper.set_model_props(model, info.to_strings())
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def colour_xml(path: Path, shape: tuple[Any, ...] = (1, 3, HEIGHT, WIDTH)) -> Path:
    """The same as an IR that says nothing of itself."""
    import openvino

    source = colour_onnx(path.with_suffix(".source.onnx"), shape)
    openvino.save_model(openvino.Core().read_model(source), path, compress_to_fp16=False)
    return path


def colour_info(**changes: Any) -> ArtefactInfo:
    return ArtefactInfo(**{"model": "colour", "image": SMALL, "embedding_dim": WEIGHT.shape[1], **changes})


class Colours(nn.Module):
    """A small network with every kind of layer that is treated in a way of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding_dim = 6
        self.body = nn.Sequential(nn.Conv2d(3, 8, 5, stride=4, padding=2), nn.BatchNorm2d(8), nn.ReLU())
        self.fc = nn.Linear(8, 6)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        embeddings: torch.Tensor = self.fc(self.body(images).mean((2, 3)))
        return embeddings


@dataclass(frozen=True)
class Held(Checkpoint):
    """A checkpoint that was never a file."""

    network: nn.Module = field(default_factory=nn.Identity)

    def build(self) -> nn.Module:
        return copy.deepcopy(self.network).eval()


def held(network: nn.Module | None = None, image: ImageSpec = SMALL) -> Held:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = network or Colours()
    info = ArtefactInfo(model="colours", image=image, embedding_dim=6)
    return Held(Path("colours"), RunConfig(), info, network.state_dict(), network)


@dataclass(frozen=True)
class Real:
    """fpn_osnet_x0_25 with its options and random weights: its checkpoint, and what was exported from it."""

    checkpoint: Path
    onnx: Path
    xml: Path
    log: Path

    @property
    def said(self) -> str:
        """What was printed while the files were made."""
        return self.log.read_text(encoding="utf-8")

    @property
    def network(self) -> nn.Module:
        return load_checkpoint(self.checkpoint).build()


def make_real(factory: pytest.TempPathFactory) -> Real:
    """Exported once, for all processes that run the tests side by side: it takes seconds."""
    shared = factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else factory.getbasetemp()
    folder = shared / "real"
    real = Real(folder / "real.safetensors", folder / "real.onnx", folder / "ir" / "real.xml", folder / "log")
    with FileLock(shared / "real.lock"):
        if not real.log.exists():
            folder.mkdir(exist_ok=True)
            real.log.write_text(_export_real(real), encoding="utf-8")
    return real


def _export_real(real: Real) -> str:
    """Make the files of `real` by the commands; what was said meanwhile."""
    config = RunConfig(model=Spec(name="fpn_osnet_x0_25", lct_gate=True, input_norm=True), run="real")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = build_model(config)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                torch.nn.init.normal_(module.running_mean, std=0.1)  # type: ignore[arg-type]
                torch.nn.init.uniform_(module.running_var, 0.5, 1.5)  # type: ignore[arg-type]
    save_checkpoint(real.checkpoint, network, config, describe(network, config))
    said = io.StringIO()
    with log_put_back(), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        for line in (
            ["-q", "export", "onnx", str(real.checkpoint), "-o", str(real.onnx)],
            ["-q", "export", "ir", str(real.onnx), "-o", str(real.xml.parent), "--weights", "fp32"],
        ):
            assert guarded(partial(build(line), args=line, prog_name="reidctl")) == 0
    return said.getvalue()


class Constant:
    """A runtime of somebody else's: every embedding is [1, 2, 3]."""

    suffixes: ClassVar[tuple[str, ...]] = (".constant", ".onnx")

    def __init__(self, last: float = 3.0, *, path: Path, device: str, precision: str | None) -> None:
        self.info = ArtefactInfo(model=path.stem, image=SMALL, embedding_dim=3)
        self.last = last

    def embed_batch(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.tile(np.array([1, 2, self.last], np.float32), (len(images), 1))
