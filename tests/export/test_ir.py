import json
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import pytest
from numpy.typing import NDArray
from PIL import Image

from reidctl.errors import CheckFailed, ConfigError, InputError
from reidctl.export import export_ir
from reidctl.export import ir as exporting
from reidctl.runtimes import open_embedder
from reidctl.types import ArtefactInfo
from tests.runtimes.artefacts import HEIGHT, WIDTH, Real, colour_info, colour_onnx, mean_bgr, mean_colours, pictures


def raw(path: Path) -> Any:
    """The file as a program that knows OpenVINO alone opens it, in exact arithmetic."""
    return openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


def planes(images: NDArray[Any]) -> NDArray[np.float32]:
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2), dtype=np.float32)


@pytest.fixture
def colour(tmp_path: Path) -> Path:
    return colour_onnx(tmp_path / "colour.onnx", info=colour_info())


def test_a_tracker_feeds_it_crops_of_its_bgr_frames(real: Real) -> None:
    """A crop of a video frame, resized, planes first, neither reordered nor normalised, as multi-camera demos do it."""
    frame = np.random.default_rng(0).integers(0, 256, (400, 300, 3), dtype=np.uint8)  # BGR
    crop = frame[50:370, 100:230]
    resized = np.asarray(Image.fromarray(crop).resize((128, 256), Image.Resampling.BILINEAR))
    found = raw(real.xml)([planes(resized[None])])[0]
    ours = open_embedder(real.checkpoint).embed([np.ascontiguousarray(crop[..., ::-1])])
    assert found.shape == (1, 256)
    np.testing.assert_allclose(found, ours, rtol=1e-3, atol=1e-4)


def test_it_has_the_shape_and_the_names_of_the_published_ones(real: Real) -> None:
    model = openvino.Core().read_model(real.xml)
    assert [(list(i.shape), i.element_type.to_string(), i.names) for i in model.inputs] == [
        ([1, 3, 256, 128], "f32", {"data"})
    ]
    assert [(list(o.shape), o.element_type.to_string(), o.names) for o in model.outputs] == [
        ([1, 256], "f32", {"reid_embedding"})
    ]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("bgr", lambda images: mean_colours(images[..., ::-1])),
        ("rgb", mean_colours),
        ("normalized", lambda images: mean_bgr(images[..., ::-1])),
    ],
)
def test_each_input_is_what_it_says(tmp_path: Path, colour: Path, wanted: Any, expected: Any) -> None:
    """Raw OpenVINO, the array as it is: as BGR, as RGB, or with no arithmetic in front at all."""
    path = export_ir(colour, tmp_path / "ir", input=wanted)
    images = pictures(1)
    np.testing.assert_allclose(raw(path)([planes(images)])[0], expected(images), rtol=1e-4, atol=1e-4)
    opened = open_embedder(path)
    np.testing.assert_allclose(opened.embed_batch(images), mean_colours(images), rtol=1e-4, atol=1e-4)


def test_it_says_what_it_takes(tmp_path: Path, colour: Path) -> None:
    bgr = open_embedder(export_ir(colour, tmp_path / "bgr")).info
    assert (bgr.color_order, bgr.pixels, bgr.precision) == ("bgr", "raw", "f32")
    assert "openvino" in bgr.versions
    half = open_embedder(export_ir(colour, tmp_path / "half", input="normalized", weights="fp16")).info
    assert (half.color_order, half.pixels, half.precision) == ("rgb", "normalized", "f16")


def test_other_programs_read_the_metadata_in_the_usual_section(tmp_path: Path, colour: Path) -> None:
    model = openvino.Core().read_model(export_ir(colour, tmp_path / "ir"))
    assert json.loads(model.get_rt_info(["model_info", "color_order"]).value) == "bgr"
    assert json.loads(model.get_rt_info(["model_info", "image"]).value)["height"] == HEIGHT
    assert not model.has_rt_info(["framework"])


@pytest.mark.parametrize("batch", [1, 4, "dynamic"])
def test_the_batch_is_as_asked(tmp_path: Path, colour: Path, batch: Any) -> None:
    shape = openvino.Core().read_model(export_ir(colour, tmp_path / "ir", batch=batch)).input().partial_shape
    wanted = openvino.Dimension() if batch == "dynamic" else openvino.Dimension(batch)
    assert shape == openvino.PartialShape([wanted, 3, HEIGHT, WIDTH])


@pytest.mark.slow
def test_fp16_halves_the_weights(real: Real, tmp_path: Path) -> None:
    half = export_ir(real.onnx, tmp_path, weights="fp16")
    ratio = half.with_suffix(".bin").stat().st_size / real.xml.with_suffix(".bin").stat().st_size
    assert 0.49 < ratio < 0.55


def test_a_foreign_onnx_file_is_converted_on_its_assumptions(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = export_ir(colour_onnx(tmp_path / "foreign.onnx"), tmp_path / "ir")
    assert caplog.text.count("says nothing of its input") == 1
    images = pictures(1)
    np.testing.assert_allclose(raw(path)([planes(images[..., ::-1])])[0], mean_colours(images), rtol=1e-4, atol=1e-4)


def test_it_lies_beside_the_onnx_file_by_default(colour: Path) -> None:
    assert export_ir(colour) == colour.with_suffix(".xml")
    assert sorted(path.name for path in colour.parent.iterdir()) == ["colour.bin", "colour.onnx", "colour.xml"]


def test_a_pair_that_computes_something_else_never_takes_its_names(
    tmp_path: Path, colour: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = export_ir(colour, tmp_path / "ir")
    before = {path.name: path.read_bytes() for path in good.parent.iterdir()}
    honest = exporting._with_input

    def another(graph: Any, info: ArtefactInfo, wanted: Any) -> tuple[Any, ArtefactInfo]:
        return honest(graph, info, "rgb")[0], info

    monkeypatch.setattr(exporting, "_with_input", another)
    with pytest.raises(CheckFailed, match=r"colour.xml: what was exported is not the same network"):
        export_ir(colour, tmp_path / "ir")
    assert {path.name: path.read_bytes() for path in good.parent.iterdir()} == before


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"weights": "fp8"}, ConfigError, "weights 'fp8' is none of fp32, fp16"),
        ({"input": "yuv"}, ConfigError, "input 'yuv' is none of"),
        ({"batch": 0}, ConfigError, "batch 0"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(
    colour: Path, parameters: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        export_ir(colour, **parameters)


@pytest.mark.parametrize("name", ["nowhere.onnx", "net.xml", "text.onnx"])
def test_what_is_no_onnx_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.onnx").write_text("not a model")
    (tmp_path / "net.xml").touch()
    with pytest.raises(InputError, match=name):
        export_ir(tmp_path / name, tmp_path / "ir")
    assert not (tmp_path / "ir").exists()


def test_a_file_of_one_batch_becomes_no_other(tmp_path: Path) -> None:
    path = colour_onnx(tmp_path / "four.onnx", (4, 3, HEIGHT, WIDTH), info=colour_info())
    with pytest.raises(InputError, match="made for batches of 4"):
        export_ir(path)
    assert export_ir(path, batch=4).is_file()


def test_pixels_are_not_converted_twice(tmp_path: Path) -> None:
    path = colour_onnx(tmp_path / "raw.onnx", info=colour_info(pixels="raw"))
    with pytest.raises(InputError, match="nothing to put inside"):
        export_ir(path)
    images = pictures(2)
    found = open_embedder(export_ir(path, input="normalized")).embed_batch(images)
    np.testing.assert_allclose(found, mean_bgr(images[..., ::-1]), rtol=1e-4)
