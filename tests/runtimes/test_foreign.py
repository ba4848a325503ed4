from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from reidctl.errors import InputError
from reidctl.runtimes.foreign import Foreign
from reidctl.runtimes.openvino import OpenVINORuntime
from tests.runtimes.artefacts import (
    HEIGHT,
    WIDTH,
    colour_info,
    colour_onnx,
    colour_xml,
    mean_bgr,
    mean_colours,
    pictures,
)

FREE = ("batch_size", 3, "height", "width")


def told(path: Path, **facts: Any) -> OpenVINORuntime:
    return OpenVINORuntime(foreign=Foreign(**facts), path=path, device="cpu", precision=None)


def close(found: NDArray[np.float32], expected: NDArray[np.float64]) -> bool:
    return bool(np.allclose(found, expected, rtol=1e-4, atol=1e-3))


def test_what_is_said_is_done(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    images = pictures(3)
    xml, onnx = colour_xml(tmp_path / "ir.xml"), colour_onnx(tmp_path / "net.onnx")
    assert close(told(xml, color_order="rgb", pixels="raw").embed_batch(images), mean_bgr(images[..., ::-1]))
    assert close(told(xml, color_order="rgb", pixels="normalized").embed_batch(images), mean_colours(images))
    assert close(told(onnx, color_order="bgr", pixels="raw").embed_batch(images), mean_bgr(images))
    assert "says nothing" not in caplog.text


def test_a_mean_makes_pixels_normalized(tmp_path: Path) -> None:
    runtime = told(colour_xml(tmp_path / "ir.xml"), color_order="rgb", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    images = pictures(3)
    assert close(255 * runtime.embed_batch(images), mean_bgr(images[..., ::-1]))
    assert runtime.info.pixels == "normalized"


def test_half_of_what_is_taken_leaves_the_rest_to_the_format_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = told(colour_xml(tmp_path / "half.xml"), color_order="rgb")
    assert (runtime.info.color_order, runtime.info.pixels) == ("rgb", "raw")
    assert "half.xml says nothing of its input; taken to be RGB 0…255" in caplog.text


def test_a_free_size_must_be_said(tmp_path: Path) -> None:
    path = colour_onnx(tmp_path / "free.onnx", FREE)
    with pytest.raises(InputError, match=r"free\.onnx leaves the size of its images free") as caught:
        told(path)
    assert "--input 256x128" in str(caught.value.hint)
    runtime = told(path, height=48, width=24)
    images = pictures(2, 48, 24)
    assert runtime.info.image.size == (48, 24)
    assert close(runtime.embed_batch(images), mean_colours(images))


def test_a_size_other_than_the_files_is_refused(tmp_path: Path) -> None:
    path = colour_onnx(tmp_path / "fixed.onnx")
    assert told(path, height=HEIGHT, width=WIDTH).info.image.size == (HEIGHT, WIDTH)
    with pytest.raises(InputError, match=r"takes images of 32x16, not of 64x32"):
        told(path, height=64, width=32)


def test_a_file_that_states_its_input_is_not_contradicted(tmp_path: Path) -> None:
    path = colour_onnx(tmp_path / "ours.onnx", info=colour_info())
    assert told(path, color_order="rgb", pixels="normalized").stated
    for facts, words in (
        ({"color_order": "bgr"}, "color_order is not bgr"),
        ({"mean": (0.0, 0.5, 0.5)}, "mean is not"),
    ):
        with pytest.raises(InputError, match=r"ours\.onnx states that it takes RGB with ImageNet's") as caught:
            told(path, **facts)
        assert words in str(caught.value)


def test_among_unknown_outputs_one_must_be_named(tmp_path: Path) -> None:
    path = colour_onnx(tmp_path / "two.onnx", outputs=("first", "second"))
    with pytest.raises(InputError, match=r"has 2 outputs: which of first, second is the embedding\?") as caught:
        told(path)
    assert caught.value.hint == "say it with --input output=first"
    images = pictures(2)
    assert close(told(path, output="first").embed_batch(images), 2 * mean_colours(images))
    assert close(told(path, output="second").embed_batch(images), mean_colours(images))
    with pytest.raises(InputError, match="no output 'secnd'") as caught:
        told(path, output="secnd")
    assert caught.value.hint == "did you mean 'second'?"


@pytest.mark.parametrize(
    "facts",
    [
        {"pixels": "raw", "mean": (0.5, 0.5, 0.5)},
        {"height": 64},
        {"height": 4, "width": 4},
        {"color_order": "rbg"},
        {"mean": (0.5, 0.5)},
    ],
)
def test_facts_that_contradict_themselves_are_refused(facts: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Foreign(**facts)
