import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from reidctl.errors import CheckFailed, ConfigError, InputError
from reidctl.export import export_onnx
from reidctl.export import onnx as exporting
from reidctl.runtimes import open_embedder
from reidctl.training.checkpoint import load_checkpoint
from reidctl.types import ArtefactInfo
from tests.runtimes.artefacts import Colours, Real, colour_onnx, held, pictures


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
    assert sorted(path.name for path in real.onnx.parent.iterdir()) == ["ir", "real.onnx", "real.safetensors"]


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
    assert real.said == ""


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


def test_an_export_replaces_what_was_there_also_without_the_simplifier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import onnxsim

    def fail(model: onnx.ModelProto) -> None:
        raise RuntimeError("no simplification today")

    monkeypatch.setattr(onnxsim, "simplify", fail)
    (tmp_path / "net.onnx").write_bytes(b"from before")
    with caplog.at_level(logging.DEBUG):
        export_onnx(held(), tmp_path / "net.onnx")
    assert "no simplification today" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]
    onnx.checker.check_model(onnx.load(tmp_path / "net.onnx"))


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"opset": 17}, ConfigError, "opset 17"),
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
