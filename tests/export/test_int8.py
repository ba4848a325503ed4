import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reidctl.errors import CheckFailed, ConfigError, InputError, MissingExtra
from reidctl.export import export_ir, export_onnx
from reidctl.export import ir as exporting
from reidctl.export.int8 import SUBSET, _spread, as_fed
from reidctl.runtimes import open_embedder
from reidctl.runtimes.engine import engine
from reidctl.types import ArtefactInfo, Sample
from tests.runtimes.artefacts import MEAN, STD, colour_info, colour_onnx, held, pictures


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    folder = tmp_path / "images"
    folder.mkdir()
    for index, picture in enumerate(pictures(12)):
        Image.fromarray(picture).save(folder / f"{index:02}.png")
    return [Sample(path, path.stem, 0, 0) for path in sorted(folder.iterdir())]


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        (colour_info(pixels="raw", color_order="bgr"), lambda rgb: rgb[..., ::-1].transpose(0, 3, 1, 2)),
        (colour_info(pixels="raw", layout="nhwc"), lambda rgb: rgb),
        (colour_info(), lambda rgb: ((rgb / 255 - MEAN) / STD).transpose(0, 3, 1, 2)),
    ],
)
def test_calibration_images_have_the_form_that_the_network_takes(
    samples: list[Sample], info: ArtefactInfo, expected: object
) -> None:
    found = as_fed(samples[:3], info)
    np.testing.assert_allclose(found, expected(pictures(12)[:3]), rtol=1e-5, atol=1e-5)  # type: ignore[operator]
    assert found.dtype == np.float32


@pytest.mark.parametrize(("count", "kept"), [(1, 1), (300, 300), (301, 151), (3000, 300)])
def test_calibration_images_are_taken_from_everywhere(count: int, kept: int) -> None:
    found = _spread([Sample(Path("x"), str(number), 0, 0) for number in range(count)])
    assert len(found) == kept <= SUBSET
    assert int(found[-1].name) > 0.9 * (count - 1) - 1


def test_without_nncf_it_says_what_to_install(
    tmp_path: Path, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)
    path = colour_onnx(tmp_path / "colour.onnx", info=colour_info())
    with pytest.raises(MissingExtra, match="INT8 needs NNCF") as caught:
        export_ir(path, tmp_path / "ir", weights="int8", calibration=samples)
    assert caught.value.hint == "pip install 'reidctl[int8]'"
    assert not (tmp_path / "ir").exists()


def test_it_needs_a_fixed_batch_and_images_to_fill_it(tmp_path: Path, samples: list[Sample]) -> None:
    path = colour_onnx(tmp_path / "colour.onnx", info=colour_info())
    with pytest.raises(ConfigError, match="made for a fixed one"):
        export_ir(path, weights="int8", calibration=samples, batch="dynamic")
    with pytest.raises(InputError, match="0 calibration images fill no batch of 1"):
        export_ir(path, weights="int8")


def test_a_network_without_anything_to_quantise_is_no_int8(tmp_path: Path, samples: list[Sample]) -> None:
    pytest.importorskip("nncf")
    path = colour_onnx(tmp_path / "colour.onnx", info=colour_info())
    with pytest.raises(InputError, match=r"colour\.onnx: 8 bits make nothing in it faster"):
        export_ir(path, tmp_path / "ir", weights="int8", calibration=samples)
    assert not (tmp_path / "ir").exists()


@pytest.mark.slow
def test_a_published_network_keeps_its_accuracy(real_data: Path, tmp_path: Path) -> None:
    """The ONNX file reaches 94.6 / 89.1 on these images, and with NNCF's default settings 93.4 / 88.6."""
    pytest.importorskip("nncf")
    from reidctl.api import load_dataset
    from reidctl.retrieval import embed, evaluate

    data = load_dataset("market1501", real_data / "data")
    source = real_data / "models" / "omz" / "person-reidentification-retail-0267.onnx"
    path = export_ir(source, tmp_path, weights="int8", calibration=data.train)
    assert any(op.get_type_name() == "FakeQuantize" for op in engine().read_model(path).get_ops())
    embedder = open_embedder(path)
    assert embedder.info.precision == "int8"
    found = evaluate(embed(embedder, data.query), embed(embedder, data.gallery))
    assert found.cmc[1] > 0.925
    assert found.mAP > 0.885


@pytest.mark.slow
def test_a_pair_that_moves_embeddings_too_far_is_not_written(
    tmp_path: Path, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("nncf")
    path = export_onnx(held(), tmp_path / "colours.onnx", verify=False)
    honest = exporting.quantized

    def wrong(graph: object, info: ArtefactInfo, *rest: object) -> object:
        return honest(graph, info.model_copy(update={"pixels": "raw"}), *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(exporting, "quantized", wrong)
    with pytest.raises(CheckFailed, match="what was exported is not the same network"):
        export_ir(path, tmp_path / "ir", weights="int8", calibration=samples)
    assert list((tmp_path / "ir").iterdir()) == []
