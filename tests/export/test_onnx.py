import dataclasses
import json
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from torch import nn

from reidctl.errors import CheckFailed, ConfigError, InputError
from reidctl.export import Exported, export_onnx
from reidctl.export import onnx as exporting
from reidctl.export import simplify as simplifying
from reidctl.export.check import PEDESTRIANS
from reidctl.runtimes import open_embedder
from reidctl.runtimes.engine import engine
from reidctl.training.checkpoint import load_checkpoint, weights_sha256
from reidctl.types import ArtefactInfo, Sample
from tests.runtimes import jobs
from tests.runtimes.artefacts import MEAN, STD, Colours, Real, colour_onnx, held, pictures


def sides(value: onnx.ValueInfoProto) -> list[int | str]:
    return [side.dim_param or side.dim_value for side in value.type.tensor_type.shape.dim]


def strings(model: onnx.ModelProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in model.metadata_props}


def test_only_the_batch_is_free_and_the_names_are_the_known_ones(real: Real) -> None:
    graph = onnx.load(real.onnx).graph
    assert [(value.name, sides(value)) for value in graph.input] == [("data", ["batch", 3, 256, 128])]
    assert [(value.name, sides(value)) for value in graph.output] == [("reid_embedding", ["batch", 256])]


def test_it_is_one_valid_file_of_opset_18(real: Real) -> None:
    model = onnx.load(real.onnx, load_external_data=False)
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    assert [path.name for path in real.onnx.parent.iterdir() if path.name.startswith("real.onnx")] == ["real.onnx"]


def test_batch_norms_are_part_of_the_convolutions(real: Real) -> None:
    operations = [node.op_type for node in onnx.load(real.onnx).graph.node]
    assert operations.count("Conv") > 100
    # The one that is left follows the linear layer.
    assert operations.count("BatchNormalization") <= 1


def test_it_says_what_it_is(real: Real) -> None:
    found = ArtefactInfo.from_strings(strings(onnx.load(real.onnx)))
    stated = load_checkpoint(real.checkpoint).info
    assert found is not None
    assert found.model_copy(update={"versions": {}}) == stated.model_copy(update={"versions": {}})
    assert found.weights_sha256
    assert {"reidctl", "torch", "onnx"} <= found.versions.keys()


def test_it_says_nothing_of_the_machine_it_was_made_on(real: Real) -> None:
    content = real.onnx.read_bytes()
    for place in (Path(exporting.__file__).parents[1], Path(torch.__file__).parent, real.onnx.parent):
        assert str(place).encode() not in content


def test_the_exporter_prints_nothing(real: Real) -> None:
    assert real.said.splitlines() == [str(real.onnx), str(real.xml)]


def test_it_computes_what_the_network_does(real: Real) -> None:
    images = pictures(3, 256, 128)
    stated = load_checkpoint(real.checkpoint).info.image
    inputs = torch.from_numpy(((images / 255 - stated.mean) / stated.std).transpose(0, 3, 1, 2)).float()
    with torch.no_grad():
        expected = real.network(inputs).numpy()
    np.testing.assert_allclose(open_embedder(real.onnx).embed_batch(images), expected, rtol=1e-3, atol=1e-4)


def test_a_fixed_batch_is_fixed_and_the_suffix_is_added(tmp_path: Path) -> None:
    path = export_onnx(held(), tmp_path / "deep" / "net.v2", batch=3)
    assert path == tmp_path / "deep" / "net.v2.onnx"
    graph = onnx.load(path).graph
    assert sides(graph.input[0]) == [3, 3, 32, 16]
    assert sides(graph.output[0]) == [3, 6]


class Undecided(nn.Module):
    """No graph can hold a choice that depends on the numbers in an image."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3)) if images.sum() > 0 else images.amax((2, 3))


def broken_graph(original: Callable[..., Any]) -> Callable[..., Any]:
    def exported(*arguments: Any) -> onnx.ModelProto:
        model: onnx.ModelProto = original(*arguments)
        for tensor in model.graph.initializer:
            if tensor.name.endswith("weight") and len(tensor.dims) == 2:
                values = onnx.numpy_helper.to_array(tensor) + np.float32(0.01)
                tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
        return model

    return exported


def test_a_network_that_cannot_be_exported_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"from before")
    with pytest.raises(InputError, match="model 'colours' cannot be exported"):
        export_onnx(held(Undecided()), tmp_path / "net.onnx")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("net.onnx", b"from before")]


def test_a_file_that_computes_something_else_never_takes_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "_to_onnx", broken_graph(exporting._to_onnx))
    (tmp_path / "net.onnx").write_bytes(b"from before")
    with pytest.raises(CheckFailed, match=r"net.onnx: what was exported is not the same network"):
        export_onnx(held(Colours()), tmp_path / "net.onnx")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("net.onnx", b"from before")]


def test_an_export_replaces_what_was_there_also_where_the_simplifier_crashes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(simplifying, "simplify", jobs.crash_on_files)
    (tmp_path / "net.onnx").write_bytes(b"from before")
    with caplog.at_level(logging.DEBUG):
        export_onnx(held(), tmp_path / "net.onnx", verify=False)
    assert "onnxsim is left out: the process died of SIGABRT" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]
    onnx.checker.check_model(onnx.load(tmp_path / "net.onnx"))


def test_pixels_and_lengths_go_inside_where_asked_and_the_file_says_so(tmp_path: Path) -> None:
    told: list[Exported] = []
    path = export_onnx(held(), tmp_path / "net.onnx", raw_input=True, l2_normalize=True, told=told.append)
    images = pictures(3)
    pixels = torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).float()
    normalized = ((images / 255 - MEAN) / STD).transpose(0, 3, 1, 2)
    with torch.no_grad():
        expected = held().build()(torch.from_numpy(normalized).float()).numpy()
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    compiled = engine().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    np.testing.assert_allclose(compiled([pixels.numpy()])[0], expected, atol=1e-5)
    opened = open_embedder(path)
    assert (opened.info.pixels, opened.info.color_order, opened.info.unit_length) == ("raw", "rgb", True)
    np.testing.assert_allclose(opened.embed_batch(images), expected, atol=1e-5)
    [made] = told
    assert made.verification is not None
    assert made.verification.ok
    assert made.verification.direction
    assert made.as_dict()["verification"]["images"] == PEDESTRIANS


def test_a_file_says_how_pictures_are_resized_and_what_its_network_reached(tmp_path: Path) -> None:
    tested = held()
    info = tested.info.model_copy(update={"metrics": {"market.mAP": 0.5}, "preset": "demo"})
    path = export_onnx(dataclasses.replace(tested, info=info), tmp_path / "net.onnx", verify=False)
    said = {key: json.loads(text) for key, text in strings(onnx.load(path)).items()}
    assert said["metrics"] == {"market.mAP": 0.5}
    assert (said["preset"], said["resize"], said["color_order"], said["embedding_dim"]) == (
        "demo",
        "bilinear",
        "rgb",
        6,
    )
    assert said["image"] == {"height": 32, "width": 16, "mean": list(MEAN), "std": list(STD)}
    assert said["weights_sha256"] == weights_sha256(tested.state)


def test_a_network_is_compared_on_the_images_that_are_named(tmp_path: Path) -> None:
    told: list[Exported] = []
    samples = [Sample(partial(Image.fromarray, picture), str(i), 0, 0) for i, picture in enumerate(pictures(3))]
    export_onnx(held(), tmp_path / "net.onnx", samples=samples, told=told.append)
    assert told[0].verification is not None
    assert told[0].verification.images == 3


def test_an_opset_that_pytorch_leaves_out_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It converts what it can, and says nothing of what it cannot."""
    honest = torch.onnx.export

    def stubborn(*arguments: Any, **settings: Any) -> Any:
        return honest(*arguments, **{**settings, "opset_version": 18})

    monkeypatch.setattr(torch.onnx, "export", stubborn)
    with pytest.raises(InputError, match="cannot be had in opset 20: PyTorch writes opset 18"):
        export_onnx(held(), tmp_path / "net.onnx", opset=20)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"opset": 17}, ConfigError, "opset 17: PyTorch writes no older one"),
        ({"opset": 99}, ConfigError, "opset 99: the installed onnx knows no newer one"),
        ({"batch": 0}, ConfigError, "batch 0"),
        ({"path": "."}, InputError, "is a folder"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(
    tmp_path: Path, parameters: dict[str, Any], error: type[Exception], message: str
) -> None:
    target = tmp_path / parameters.pop("path", "net.onnx")
    with pytest.raises(error, match=message):
        export_onnx(held(), target, **parameters)
    assert list(tmp_path.iterdir()) == []


def test_what_is_exported_already_is_refused(tmp_path: Path) -> None:
    path = colour_onnx(tmp_path / "colour.onnx")
    with pytest.raises(InputError, match="exported already"):
        export_onnx(path, tmp_path / "again.onnx")
