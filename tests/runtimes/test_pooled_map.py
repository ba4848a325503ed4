"""Feature maps of exported networks are those of the networks."""

from pathlib import Path
from typing import Any, get_args

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from reidctl.errors import InputError
from reidctl.export import export_onnx
from reidctl.models.head import build_head
from reidctl.models.osnet import OSNet
from reidctl.models.pooling import Pooling, build_pooling
from reidctl.runtimes import open_embedder
from reidctl.runtimes.network import NetworkEmbedder
from tests.runtimes.artefacts import HEIGHT, WIDTH, Real, colour_onnx, held, pictures


def maps(path: Path, images: Any) -> Any:
    return open_embedder(path).runtime.feature_maps(images)  # type: ignore[attr-defined]


def require_same(found: Any, expected: Any) -> None:
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=2e-4 * np.abs(expected).max())


def test_ir_and_onnx_have_the_maps_of_their_checkpoint(real: Real) -> None:
    images = pictures(3, 256, 128)
    expected = maps(real.checkpoint, images)
    assert expected.ndim == 4
    require_same(maps(real.onnx, images), expected)
    require_same(maps(real.xml, images), expected)


class Pooled(nn.Module):
    """All of OSNet from the pooling on, behind a single layer."""

    embedding_dim = 6

    def __init__(self, pooling: Pooling) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 5, stride=4, padding=2), nn.BatchNorm2d(8), nn.ReLU())
        self.global_avgpool = build_pooling(pooling, 8, (HEIGHT // 4, WIDTH // 4))
        self.fc = build_head(8, self.embedding_dim, "prelu", dropout=0)

    def feature_maps(self, images: torch.Tensor) -> torch.Tensor:
        maps: torch.Tensor = self.body(images)
        return maps

    forward = OSNet.forward


@pytest.mark.parametrize("pooling", get_args(get_args(Pooling)[0]))
def test_every_pooling_is_recognised(tmp_path: Path, pooling: Pooling) -> None:
    checkpoint, images = held(Pooled(pooling)), pictures(2)
    expected = NetworkEmbedder(checkpoint, device="cpu", precision=None).feature_maps(images)
    require_same(maps(export_onnx(checkpoint, tmp_path / "net.onnx"), images), expected)


def test_channels_may_come_last(tmp_path: Path) -> None:
    images = pictures(2)
    first = maps(colour_onnx(tmp_path / "first.onnx"), images)
    last = maps(colour_onnx(tmp_path / "last.onnx", ("n", HEIGHT, WIDTH, 3)), images)
    assert first.shape == (2, 3, HEIGHT, WIDTH)
    require_same(last, first)


def test_a_fixed_batch_is_filled_up(tmp_path: Path) -> None:
    images = pictures(3)
    free = maps(colour_onnx(tmp_path / "free.onnx"), images)
    require_same(maps(colour_onnx(tmp_path / "fixed.onnx", (2, 3, HEIGHT, WIDTH)), images), free)


def test_embeddings_are_the_same_after_maps_were_asked_for(tmp_path: Path) -> None:
    runtime = open_embedder(colour_onnx(tmp_path / "net.onnx"))
    before = runtime.embed_batch(pictures(4))
    runtime.runtime.feature_maps(pictures(2))  # type: ignore[attr-defined]
    assert np.array_equal(runtime.embed_batch(pictures(4)), before)
    assert np.array_equal(runtime.embed_batch(pictures(4)[:3]), before[:3])


def tokens_onnx(path: Path) -> Path:
    """An embedding that is the first of a row of tokens, made of patches: places and channels never stand apart."""
    nodes = [
        helper.make_node("Reshape", ["data", "shape"], ["rows"]),
        helper.make_node("MatMul", ["rows", "weight"], ["tokens"]),
        helper.make_node("Gather", ["tokens", "first"], ["reid_embedding"], axis=1),
    ]
    width = 3 * HEIGHT * WIDTH // 16
    constants = [
        numpy_helper.from_array(np.array([-1, 16, width], np.int64), "shape"),
        numpy_helper.from_array(np.ones((width, 4), np.float32), "weight"),
        numpy_helper.from_array(np.array(0, np.int64), "first"),
    ]
    graph = helper.make_graph(
        nodes,
        "tokens",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, ("n", 3, HEIGHT, WIDTH))],
        [helper.make_tensor_value_info("reid_embedding", TensorProto.FLOAT, ("n", 4))],
        constants,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


def test_a_network_of_tokens_has_no_map(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"tokens\.onnx: nothing that it pools is a map") as caught:
        maps(tokens_onnx(tmp_path / "tokens.onnx"), pictures(1))
    assert caught.value.hint == "give the checkpoint it was made from"


PUBLISHED = {
    "0287-FP32/person-reidentification-retail-0287.xml": 256,
    "0287-INT8/person-reidentification-retail-0287.xml": 256,
    "0286-FP16/person-reidentification-retail-0286.xml": 384,
    "person-reidentification-retail-0267.onnx": 256,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_networks_show_where_they_look(name: str, real_data: Path) -> None:
    found = maps(real_data / "models" / "omz" / name, pictures(2, 256, 128))
    assert found.shape == (2, PUBLISHED[name], 16, 8)
    assert np.isfinite(found).all()
    assert found.std(axis=(2, 3)).max() > 0
