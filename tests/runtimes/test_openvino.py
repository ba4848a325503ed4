import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from reidctl.errors import InputError
from reidctl.runtimes import open_embedder
from reidctl.runtimes.openvino import OpenVINORuntime
from reidctl.types import ImageSpec
from tests.runtimes.artefacts import (
    HEIGHT,
    WIDTH,
    Real,
    colour_info,
    colour_onnx,
    colour_xml,
    mean_bgr,
    mean_colours,
    pictures,
)


def opened(path: Path, **parameters: Any) -> OpenVINORuntime:
    return OpenVINORuntime(**parameters, path=path, device="cpu", precision=None)


def close(found: NDArray[np.float32], expected: NDArray[np.float64]) -> bool:
    return found.shape == expected.shape and bool(np.allclose(found, expected, rtol=1e-4, atol=1e-4))


@pytest.mark.parametrize("count", [1, 7, 8, 21])
@pytest.mark.parametrize("batch", ["batch", 1, 4])
@pytest.mark.parametrize("hint", ["throughput", "latency"])
def test_any_number_of_images_keeps_its_order(tmp_path: Path, count: int, batch: str | int, hint: str) -> None:
    runtime = opened(colour_onnx(tmp_path / "colour.onnx", (batch, 3, HEIGHT, WIDTH)), hint=hint)
    images = pictures(count)
    assert close(runtime.embed_batch(images), mean_colours(images))


def test_no_images_give_no_embeddings(tmp_path: Path) -> None:
    assert opened(colour_onnx(tmp_path / "colour.onnx")).embed_batch(pictures(0)).shape == (0, 4)


def test_images_that_are_a_view_are_read_right(tmp_path: Path) -> None:
    images = pictures(4)[:, :, ::-1]
    assert close(opened(colour_onnx(tmp_path / "colour.onnx")).embed_batch(images), mean_colours(images))


def test_a_foreign_onnx_file_takes_normalised_rgb_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    runtime = opened(colour_onnx(tmp_path / "foreign.onnx"))
    assert close(runtime.embed_batch(pictures(3)), mean_colours(pictures(3)))
    assert "foreign.onnx says nothing of its input; taken to be RGB" in caplog.text
    assert (runtime.info.model, runtime.info.image.size, runtime.info.embedding_dim) == ("foreign", (HEIGHT, WIDTH), 4)


def test_a_foreign_ir_takes_bgr_as_it_is_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    runtime = opened(colour_xml(tmp_path / "foreign.xml"))
    assert close(runtime.embed_batch(pictures(3)), mean_bgr(pictures(3)))
    assert "foreign.xml says nothing of its input; taken to be BGR 0…255" in caplog.text


def test_a_file_that_states_its_input_is_believed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    image = ImageSpec(height=HEIGHT, width=WIDTH, mean=(0.5, 0.4, 0.3), std=(0.1, 0.2, 0.3))
    info = colour_info(image=image, pixels="normalized", color_order="bgr", metrics={"market1501.mAP": 0.5})
    runtime = opened(colour_onnx(tmp_path / "stated.onnx", info=info))
    images = pictures(3)
    bgr = ((images / 255 - image.mean) / image.std)[..., ::-1]
    raw = bgr * 255  # mean_bgr reverses and takes values as they are
    assert close(runtime.embed_batch(images), mean_bgr(raw[..., ::-1]) / 255)
    assert runtime.info == info
    assert "says nothing" not in caplog.text


def test_an_onnx_file_converted_by_other_tools_keeps_its_metadata(tmp_path: Path) -> None:
    import openvino

    source = colour_onnx(tmp_path / "ours.onnx", info=colour_info())
    openvino.save_model(openvino.Core().read_model(source), tmp_path / "theirs.xml", compress_to_fp16=False)
    runtime = opened(tmp_path / "theirs.xml")
    assert runtime.info == colour_info()
    assert close(runtime.embed_batch(pictures(2)), mean_colours(pictures(2)))


def test_metadata_of_others_is_no_metadata(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    import onnx

    path = colour_onnx(tmp_path / "other.onnx")
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {"model": "resnet", "embedding_dim": "many"})
    onnx.save(model, path)
    assert opened(path).info.model == "other"
    assert "not ours, or damaged" in caplog.text


@pytest.mark.parametrize(
    "shape", [("n", HEIGHT, WIDTH, 3), ("batch_size", "channels", HEIGHT, WIDTH), ("n", 3, HEIGHT, WIDTH)]
)
def test_other_layouts_and_free_channels_are_taken(tmp_path: Path, shape: tuple[Any, ...]) -> None:
    runtime = opened(colour_onnx(tmp_path / "colour.onnx", shape))
    images = pictures(2, *runtime.info.image.size)
    assert close(runtime.embed_batch(images), mean_colours(images))


def test_an_embedding_with_two_empty_axes_is_flattened(tmp_path: Path) -> None:
    runtime = opened(colour_onnx(tmp_path / "colour.onnx", flat=False))
    assert close(runtime.embed_batch(pictures(2)), mean_colours(pictures(2)))


def test_the_embedding_is_found_among_outputs(tmp_path: Path) -> None:
    path = colour_onnx(tmp_path / "two.onnx", outputs=("classes", "reid_embedding"))
    assert close(opened(path).embed_batch(pictures(2)), mean_colours(pictures(2)))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"inputs": ("data", "mask")}, "2 inputs instead of one"),
        ({"shape": ("n", 4, HEIGHT, WIDTH)}, "no batch of colour images"),
        ({"info": colour_info(image=ImageSpec(height=64, width=32))}, "its metadata says nchw 64x32 -> 4"),
        ({"info": colour_info(embedding_dim=9)}, "-> 9, its graph nchw 32x16 -> 4"),
    ],
)
def test_what_is_no_network_of_this_kind_is_refused(tmp_path: Path, parameters: Any, message: str) -> None:
    weight = np.ones((parameters.get("shape", (0, 3))[1], 4), np.float32)
    with pytest.raises(InputError, match=message):
        opened(colour_onnx(tmp_path / "odd.onnx", **{"weight": weight, **parameters}))


def _whole(path: Path) -> bytes:
    return colour_onnx(path.with_name("whole.onnx")).read_bytes()


HOSTILE = {
    "text.onnx": lambda path: path.write_text("not a model\n" * 30),
    "empty.onnx": lambda path: path.touch(),
    "noise.onnx": lambda path: path.write_bytes(os.urandom(5000)),
    "half.onnx": lambda path: path.write_bytes(_whole(path)[: len(_whole(path)) // 2]),
    "short.onnx": lambda path: path.write_bytes(_whole(path)[:-3]),
    "no_bin.xml": lambda path: colour_xml(path).with_suffix(".bin").unlink(),
    "empty_bin.xml": lambda path: colour_xml(path).with_suffix(".bin").write_bytes(b""),
    "short_bin.xml": lambda path: colour_xml(path).with_suffix(".bin").write_bytes(b"12345"),
    "half.xml": lambda path: path.write_text(colour_xml(path).read_text()[:900]),
    "text.xml": lambda path: (path.write_text("not a model"), path.with_suffix(".bin").touch()),
    "other.xml": lambda path: (path.write_text("<config><a/></config>"), path.with_suffix(".bin").touch()),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_damaged_file_gives_one_error_and_no_noise(
    tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    HOSTILE[name](tmp_path / name)
    capfd.readouterr()
    with pytest.raises(InputError) as caught:
        open_embedder(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"precision": "fp16"}, "computes no 'fp16'"),
        ({"device": "cuda"}, "no device 'cuda'"),
        ({"device": "NPU.7"}, "no device 'NPU.7'"),
    ],
)
def test_devices_and_precisions_that_are_not_there_are_refused(
    tmp_path: Path, how: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        open_embedder(colour_onnx(tmp_path / "colour.onnx"), **how)  # type: ignore[arg-type]
    assert caught.value.hint


def test_accuracy_is_f32_unless_asked_otherwise(real: Real) -> None:
    """bf16 keeps 8 bits, so its embeddings differ by a thousandth or more; where it is not to be had, that is said."""
    images = pictures(4, 256, 128)
    exact = opened(real.onnx)
    assert exact.precision == "f32"
    try:
        rough = open_embedder(real.onnx, precision="bf16").embed_batch(images)
    except InputError as error:
        assert "bf16" in str(error)  # noqa: PT017
        return
    difference = np.abs(rough - exact.embed_batch(images)).max()
    assert difference > 1e-4 * np.abs(rough).max()


def test_a_stream_embeds_every_batch_once(tmp_path: Path) -> None:
    runtime = opened(colour_onnx(tmp_path / "colour.onnx"))
    batches = [pictures(count, seed=count) for count in (3, 8, 1, 3, 5)]
    found: dict[int, NDArray[np.float32]] = {}

    def keep(index: int, embeddings: NDArray[np.float32]) -> None:
        assert index not in found
        found[index] = embeddings.copy()

    runtime.embed_stream(iter(batches), keep)
    assert sorted(found) == [0, 1, 2, 3, 4]
    assert all(close(found[index], mean_colours(batch)) for index, batch in enumerate(batches))


def test_a_stream_that_breaks_off_leaves_the_runtime_usable(tmp_path: Path) -> None:
    runtime = opened(colour_onnx(tmp_path / "colour.onnx"))

    def breaking() -> Iterator[NDArray[np.uint8]]:
        yield pictures(1)
        raise InputError("the second image is damaged")

    with pytest.raises(InputError, match="second image"):
        runtime.embed_stream(breaking(), lambda index, embeddings: None)
    assert close(runtime.embed_batch(pictures(9)), mean_colours(pictures(9)))


@pytest.mark.parametrize(
    "wrong",
    [pictures(3, WIDTH, HEIGHT), pictures(3)[:, :1], pictures(3)[..., :1], pictures(5), pictures(3).astype(np.float32)],
    ids=["turned", "a row", "grey", "too many", "floats"],
)
def test_pictures_that_do_not_fit_are_refused_and_never_spread(tmp_path: Path, wrong: np.ndarray) -> None:
    runtime = opened(colour_onnx(tmp_path / "colour.onnx", (4, 3, HEIGHT, WIDTH)))
    with pytest.raises(InputError, match=rf"takes pictures uint8 \(4, {HEIGHT}, {WIDTH}, 3\), not"):
        runtime.embed_stream(iter([wrong]), lambda index, embeddings: None)
    assert close(runtime.embed_batch(pictures(9)), mean_colours(pictures(9)))


def test_what_the_receiver_raises_ends_the_stream(tmp_path: Path) -> None:
    runtime = opened(colour_onnx(tmp_path / "colour.onnx"))
    drawn: list[int] = []

    def many() -> Iterator[NDArray[np.uint8]]:
        for number in range(1000):
            drawn.append(number)
            yield pictures(1)

    def refuse(index: int, embeddings: NDArray[np.float32]) -> None:
        raise ValueError("no room for it")

    with pytest.raises(ValueError, match="no room for it"):
        runtime.embed_stream(many(), refuse)
    assert len(drawn) < 1000
    assert close(runtime.embed_batch(pictures(9)), mean_colours(pictures(9)))


PUBLISHED = {
    "0287-FP32/person-reidentification-retail-0287.xml": (0.938, 0.881, "f32"),
    "0287-INT8/person-reidentification-retail-0287.xml": (0.941, 0.883, "int8"),
    "0286-FP16/person-reidentification-retail-0286.xml": (0.957, 0.927, "f16"),
    "person-reidentification-retail-0267.onnx": (0.946, 0.891, "f32"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_networks_reach_their_known_accuracy(name: str, real_data: Path) -> None:
    """The figures are those that an independent implementation found for these files on these images."""
    from reidctl.api import load_dataset
    from reidctl.retrieval import embed, evaluate

    rank1, mean_ap, stored = PUBLISHED[name]
    embedder = open_embedder(real_data / "models" / "omz" / name)
    assert embedder.info.precision == stored
    data = load_dataset("market1501", real_data / "data")
    found = evaluate(embed(embedder, data.query), embed(embedder, data.gallery))
    # INT8 kernels differ between CPUs.
    tolerance = 0.008 if stored == "int8" else 0.0006
    assert found.cmc[1] == pytest.approx(rank1, abs=tolerance)
    assert found.mAP == pytest.approx(mean_ap, abs=tolerance)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_networks_open(name: str, real_data: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        embedder = open_embedder(real_data / "models" / "omz" / name)
    assert (embedder.info.image.size, embedder.info.embedding_dim) == ((256, 128), 256)
    assert np.isfinite(embedder.embed_batch(pictures(3, 256, 128))).all()
