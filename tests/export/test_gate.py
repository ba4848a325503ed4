"""The gate of parity must close: on another order of colours, on another mean, and on shuffled weights."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from openvino import save_model

from reidctl.export import export_ir, export_onnx, verify
from reidctl.export.check import pedestrians
from reidctl.runtimes.graph import read_graph, read_info, write_info
from reidctl.types import Sample
from tests.conftest import Cli
from tests.runtimes.artefacts import HEIGHT, WIDTH, held


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_onnx(held(), tmp_path_factory.mktemp("gate") / "net.onnx", verify=False)


@pytest.fixture(scope="module")
def samples() -> tuple[Sample, ...]:
    return pedestrians(16, (HEIGHT, WIDTH))


def in_other_order(honest: Path, folder: Path) -> Path:
    """An IR that takes RGB and says BGR."""
    xml = export_ir(honest, folder / "rgb", input="rgb", verify=False)
    graph = read_graph(xml)
    write_info(graph, read_info(graph, xml).info.model_copy(update={"color_order": "bgr"}))
    save_model(graph, folder / "swapped.xml", compress_to_fp16=False)
    return folder / "swapped.xml"


def with_other_mean(honest: Path, folder: Path) -> Path:
    """An IR with another mean inside: the one of a file that says the wrong thing of its input."""
    model = onnx.load(honest)
    graph = read_graph(honest)
    info = read_info(graph, honest).info
    image = info.image.model_copy(update={"mean": (0.45, 0.45, 0.45)})
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, info.model_copy(update={"image": image}).to_strings())
    onnx.save(model, folder / "mean.onnx")
    return export_ir(folder / "mean.onnx", folder / "mean", verify=False)


def with_shuffled_weights(honest: Path, folder: Path) -> Path:
    model = onnx.load(honest)
    tensor = next(entry for entry in model.graph.initializer if len(entry.dims) == 4)
    values = onnx.numpy_helper.to_array(tensor)
    tensor.CopyFrom(onnx.numpy_helper.from_array(np.roll(values, 1, axis=0).copy(), tensor.name))
    onnx.save(model, folder / "shuffled.onnx")
    return folder / "shuffled.onnx"


def test_it_is_open_for_the_same_network(honest: Path, samples: tuple[Sample, ...], tmp_path: Path) -> None:
    assert verify(honest, export_ir(honest, tmp_path, verify=False), samples).ok


@pytest.mark.parametrize("tamper", [in_other_order, with_other_mean, with_shuffled_weights])
def test_it_closes(honest: Path, samples: tuple[Sample, ...], tmp_path: Path, tamper: object) -> None:
    tampered = tamper(honest, tmp_path)  # type: ignore[operator]
    found = verify(honest, tampered, samples)
    assert found.error is None
    assert found.difference is not None
    assert found.tolerance is not None
    assert found.difference.relative_error > 30 * found.tolerance.relative_error
    assert not found.ok


def test_it_closes_on_the_command_line(honest: Path, tmp_path: Path, cli: Cli) -> None:
    result = cli("verify", honest, with_shuffled_weights(honest, tmp_path), "--limit", "4")
    assert result.code == 1
    assert result.out.endswith("not the same network\n")
    assert len(result.err.splitlines()) == 1
