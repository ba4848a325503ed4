"""A library with an operation of its own, built here against the headers that OpenVINO's package brings."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnx
import openvino
import pytest
from onnx import helper

from reidctl.errors import InputError
from reidctl.runtimes import open_embedder
from reidctl.types import Spec
from tests.runtimes.artefacts import colour_onnx, mean_bgr, pictures

PACKAGE = Path(openvino.__file__).parent
SOURCE = Path(__file__).with_name("doubling.cpp")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("c++")
    found = sorted((PACKAGE / "libs").glob("libopenvino.so*"))
    if not (compiler and found and (PACKAGE / "include").is_dir()):
        pytest.skip("an OpenVINO extension is built with a C++ compiler, on Linux")
    made = tmp_path_factory.mktemp("extension") / "libdoubling.so"
    options = ["-std=c++17", "-shared", "-fPIC", "-O0", f"-I{PACKAGE / 'include'}"]
    subprocess.run([compiler, *options, str(SOURCE), str(found[0]), "-o", str(made)], check=True, capture_output=True)
    return made


@pytest.fixture
def needing(tmp_path: Path) -> Path:
    """An IR whose last operation is the extension's: that of `colour_onnx`, doubled."""
    model = onnx.load(colour_onnx(tmp_path / "plain.onnx"))
    model.graph.node[-1].output[0] = "before"
    model.graph.node.append(helper.make_node("Abs", ["before"], ["reid_embedding"]))
    onnx.save(model, tmp_path / "abs.onnx")
    path = tmp_path / "needing.xml"
    openvino.save_model(openvino.Core().read_model(tmp_path / "abs.onnx"), path, compress_to_fp16=False)
    text = path.read_text()
    assert 'type="Abs" version="opset1"' in text
    path.write_text(text.replace('type="Abs" version="opset1"', 'type="Doubling" version="reidctl_test"'))
    return path


def test_a_network_with_an_operation_of_its_own_runs_with_its_library(needing: Path, library: Path) -> None:
    with pytest.raises(InputError, match=r"needing\.xml: no intact OpenVINO IR.*Doubling"):
        open_embedder(needing, isolated=True)
    runtime = Spec(name="openvino", extension=str(library))
    images = pictures(3)
    found = open_embedder(needing, runtime=runtime, isolated=True).embed_batch(images)
    np.testing.assert_allclose(found, 2 * mean_bgr(images), rtol=1e-4)


def test_what_is_no_library_is_refused(needing: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such extension: .*absent\.so"):
        open_embedder(needing, runtime=Spec(name="openvino", extension=str(tmp_path / "absent.so")))
    (tmp_path / "text.so").write_text("no library")
    with pytest.raises(InputError, match=r"text\.so: OpenVINO cannot load this extension"):
        open_embedder(needing, runtime=Spec(name="openvino", extension=str(tmp_path / "text.so")))
