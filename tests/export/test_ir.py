import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from reidctl.errors import CheckFailed, ConfigError, InputError
from reidctl.export import Exported, export_ir
from reidctl.export import ir as exporting
from reidctl.runtimes import open_embedder
from reidctl.runtimes.engine import engine
from reidctl.types import ArtefactInfo
from tests.runtimes.artefacts import (
    HEIGHT,
    STD,
    WEIGHT,
    WIDTH,
    Real,
    colour_info,
    colour_onnx,
    mean_bgr,
    mean_colours,
    pictures,
)


def raw(path: Path) -> Any:
    """The file as a program that knows OpenVINO alone opens it, in exact arithmetic."""
    return engine().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


def planes(images: NDArray[Any]) -> NDArray[np.float32]:
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2), dtype=np.float32)


def cosine_distance(a: NDArray[Any], b: NDArray[Any]) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    return float(1 - a @ b / np.sqrt((a @ a) * (b @ b)))


@pytest.fixture
def colour(tmp_path: Path) -> Path:
    return colour_onnx(tmp_path / "colour.onnx", info=colour_info())


def test_a_tracker_feeds_it_crops_of_its_bgr_frames(real: Real) -> None:
    """As the re-ID wrapper of the Open Model Zoo's multi-camera multi-target tracking demo does it.

    A crop of a BGR frame, resized to the input's own width and height without a filter, planes first, neither
    reordered nor normalised, one request each; embeddings are compared by cosine distance.
    """
    compiled = raw(real.xml)
    _, _, height, width = compiled.input(0).shape
    assert (height, width) == (256, 128)
    frame = np.random.default_rng(0).integers(0, 256, (60, 40, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)  # BGR
    crops = [frame[50:370, 100:230], frame[0:200, 10:110], frame[200:470, 150:290]]
    pictures, theirs = [], []
    for crop in crops:
        planes_first = torch.from_numpy(crop.transpose(2, 0, 1).copy())[None].float()
        small = torch.nn.functional.interpolate(planes_first, (height, width), mode="bilinear", align_corners=False)
        picture = small.round().numpy().astype(np.uint8)
        request = compiled.create_infer_request()
        request.infer({compiled.input(0): picture})
        theirs.append(request.get_output_tensor(0).data.reshape(-1).copy())
        pictures.append(np.ascontiguousarray(picture[0].transpose(1, 2, 0)[..., ::-1]))  # RGB
    ours = open_embedder(real.checkpoint).embed(pictures)
    assert theirs[0].shape == (256,)
    for row, vector in enumerate(theirs):
        assert cosine_distance(vector, ours[row]) < 1e-6
    apart = [cosine_distance(theirs[a], theirs[b]) for a, b in ((0, 1), (0, 2), (1, 2))]
    expected = [cosine_distance(ours[a], ours[b]) for a, b in ((0, 1), (0, 2), (1, 2))]
    np.testing.assert_allclose(apart, expected, rtol=1e-2, atol=1e-7)
    assert min(expected) > 1e-5


def test_it_has_the_shape_and_the_names_of_the_published_ones(real: Real) -> None:
    model = engine().read_model(real.xml)
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
    path = export_ir(colour, tmp_path / "ir", input=wanted, verify=False)
    images = pictures(1)
    np.testing.assert_allclose(raw(path)([planes(images)])[0], expected(images), rtol=1e-4, atol=1e-4)
    opened = open_embedder(path)
    np.testing.assert_allclose(opened.embed_batch(images), mean_colours(images), rtol=1e-4, atol=1e-4)


def test_it_says_what_it_takes(tmp_path: Path, colour: Path) -> None:
    bgr = open_embedder(export_ir(colour, tmp_path / "bgr", verify=False)).info
    assert (bgr.color_order, bgr.pixels, bgr.precision) == ("bgr", "raw", "f32")
    assert "openvino" in bgr.versions
    half = open_embedder(export_ir(colour, tmp_path / "half", input="normalized", weights="fp16", verify=False)).info
    assert (half.color_order, half.pixels, half.precision) == ("rgb", "normalized", "f16")


def test_other_programs_read_the_metadata_in_the_usual_section(tmp_path: Path, colour: Path) -> None:
    model = engine().read_model(export_ir(colour, tmp_path / "ir", verify=False))
    assert json.loads(model.get_rt_info(["model_info", "color_order"]).value) == "bgr"
    assert json.loads(model.get_rt_info(["model_info", "image"]).value)["height"] == HEIGHT
    assert not model.has_rt_info(["framework"])


@pytest.mark.parametrize("batch", [1, 4, "dynamic"])
def test_the_batch_is_as_asked(tmp_path: Path, colour: Path, batch: Any) -> None:
    path = export_ir(colour, tmp_path / "ir", batch=batch, verify=False)
    shape = engine().read_model(path).input().partial_shape
    wanted = openvino.Dimension() if batch == "dynamic" else openvino.Dimension(batch)
    assert shape == openvino.PartialShape([wanted, 3, HEIGHT, WIDTH])


@pytest.mark.slow
def test_fp16_halves_the_weights(real: Real, tmp_path: Path) -> None:
    half = export_ir(real.onnx, tmp_path, weights="fp16", verify=False)
    ratio = half.with_suffix(".bin").stat().st_size / real.xml.with_suffix(".bin").stat().st_size
    assert 0.49 < ratio < 0.55


def test_a_foreign_onnx_file_is_converted_on_its_assumptions(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = export_ir(colour_onnx(tmp_path / "foreign.onnx"), tmp_path / "ir", verify=False)
    assert caplog.text.count("says nothing of its input") == 1
    images = pictures(1)
    np.testing.assert_allclose(raw(path)([planes(images[..., ::-1])])[0], mean_colours(images), rtol=1e-4, atol=1e-4)


def test_it_lies_beside_the_onnx_file_by_default(colour: Path) -> None:
    assert export_ir(colour, verify=False) == colour.with_suffix(".xml")
    assert sorted(path.name for path in colour.parent.iterdir()) == ["colour.bin", "colour.onnx", "colour.xml"]


def test_a_pair_that_computes_something_else_never_takes_its_names(
    tmp_path: Path, colour: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = export_ir(colour, tmp_path / "ir", verify=False)
    before = {path.name: path.read_bytes() for path in good.parent.iterdir()}
    honest = exporting.with_input

    def another(graph: Any, info: ArtefactInfo, wanted: Any) -> tuple[Any, ArtefactInfo]:
        return honest(graph, info, "rgb")[0], honest(graph.clone(), info, wanted)[1]

    monkeypatch.setattr(exporting, "with_input", another)
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
    assert export_ir(path, batch=4, verify=False).is_file()


@pytest.mark.parametrize("order", ["rgb", "bgr"])
@pytest.mark.parametrize("wanted", ["rgb", "bgr", "u8-nhwc"])
def test_raw_pixels_are_not_normalised_again(tmp_path: Path, order: Any, wanted: Any) -> None:
    path = colour_onnx(tmp_path / "raw.onnx", info=colour_info(pixels="raw", color_order=order))
    with pytest.raises(InputError, match="takes 0…255 and normalises inside"):
        export_ir(path, input="normalized")
    images = pictures(2)
    found = open_embedder(export_ir(path, input=wanted, verify=False)).embed_batch(images)
    expected = mean_bgr(images if order == "bgr" else images[..., ::-1])
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("info", [colour_info(), colour_info(pixels="raw")])
def test_frames_of_any_size_are_resized_inside_as_pillow_does(tmp_path: Path, info: ArtefactInfo) -> None:
    """uint8 BGR rows of pixels, as cameras and OpenCV have them; half a grey level is lost to Pillow's rounding."""
    path = export_ir(colour_onnx(tmp_path / "colour.onnx", info=info), input="u8-nhwc", verify=False)
    model = engine().read_model(path)
    assert model.input().partial_shape == openvino.PartialShape([1, -1, -1, 3])
    assert (model.input().element_type.to_string(), model.input().names) == ("u8", {"data"})
    said = open_embedder(path).info
    assert (said.layout, said.color_order, said.pixels, said.resize) == ("nhwc", "bgr", "raw", "inside")
    compiled = raw(path)
    rng = np.random.default_rng(0)
    for height, width in ((32, 16), (20, 9), (97, 41), (300, 200), (8, 160)):
        picture = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)  # RGB
        small = np.asarray(Image.fromarray(picture).resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR))[None]
        expected = mean_colours(small) if info.pixels == "normalized" else mean_bgr(small[..., ::-1])
        level = 1 if info.pixels == "raw" else 1 / (255 * STD.min())
        found = compiled([np.ascontiguousarray(picture[None, ..., ::-1])])[0]
        np.testing.assert_allclose(found, expected, atol=level * np.abs(WEIGHT).sum(axis=0).max() / 2)


def test_an_export_need_not_be_checked(tmp_path: Path, colour: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "require_same", None)
    told: list[Exported] = []
    export_ir(colour, tmp_path / "ir", verify=False, told=told.append)
    assert told == [Exported(tmp_path / "ir" / "colour.xml")]


def test_a_disk_that_takes_no_more_is_an_error_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenVINO says no more than this of a full one."""
    path = colour_onnx(tmp_path / "colour.onnx", info=colour_info())

    def full(*_: object, **__: object) -> None:
        raise RuntimeError("basic_ios::clear: iostream error")

    monkeypatch.setattr("openvino.save_model", full)
    with pytest.raises(InputError, match=r"colour\.xml: OpenVINO cannot write it: .*iostream error") as caught:
        export_ir(path, tmp_path / "ir")
    assert re.fullmatch(r"[\d,]+\.\d MB are free there", caught.value.hint or "")
    assert list((tmp_path / "ir").iterdir()) == []


def test_weights_of_dead_channels_are_not_in_the_file(tmp_path: Path) -> None:
    weight = WEIGHT.copy()
    weight[0, 0] = 1e-31
    path = export_ir(colour_onnx(tmp_path / "colour.onnx", weight=weight, info=colour_info()))
    held = [node.data for node in engine().read_model(path).get_ops() if node.get_type_name() == "Constant"]
    numbers = np.concatenate([np.abs(each).ravel() for each in held if each.dtype == np.float32])
    assert numbers[numbers > 0].min() > 1e-12
