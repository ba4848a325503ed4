import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reidctl import artefacts
from reidctl.errors import InputError, PluginError, UnknownName
from reidctl.installed import EntryPoint
from reidctl.registry import API_VERSION, Entry, runtimes
from reidctl.runtimes import open_embedder
from reidctl.runtimes.child import run_in_child
from reidctl.types import Spec
from tests.runtimes import jobs
from tests.runtimes.artefacts import Real, colour_onnx, mean_colours, pictures


def register(monkeypatch: pytest.MonkeyPatch, name: str, target: str) -> None:
    """Declare a runtime of another package."""
    entry = Entry("runtime", name, "a-guest", "1.0", target, API_VERSION, EntryPoint(name, target, runtimes.group))
    everything = tuple(sorted((*runtimes.entries, entry), key=lambda known: (known.name, known.package)))
    monkeypatch.setitem(runtimes.__dict__, "entries", everything)
    artefacts._suffixes.cache_clear()


@pytest.fixture(autouse=True)
def _forget_runtimes() -> None:
    artefacts._suffixes.cache_clear()


def test_a_checkpoint_its_onnx_file_and_its_ir_give_the_same_embeddings(real: Real) -> None:
    images = pictures(11, 256, 128)
    opened = [open_embedder(path, device="cpu") for path in (real.checkpoint, real.onnx, real.xml)]
    torch_, onnx_, ir = (embedder.embed_batch(images) for embedder in opened)
    spread = np.linalg.norm(torch_ - torch_.mean(axis=0), axis=1).min()
    assert np.linalg.norm(torch_ - onnx_, axis=1).max() < 1e-4 * spread
    assert np.linalg.norm(torch_ - ir, axis=1).max() < 1e-4 * spread
    assert torch_.shape == (11, 256)
    assert torch_.dtype == onnx_.dtype == ir.dtype == np.float32


def test_a_checkpoint_brings_its_configuration(real: Real) -> None:
    opened = open_embedder(real.checkpoint)
    assert opened.config is not None
    assert opened.config.run == "real"
    assert open_embedder(real.onnx).config is None
    assert not opened.random_weights


def test_a_run_folder_opens_its_best_checkpoint(real: Real, tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "best.safetensors").write_bytes(real.checkpoint.read_bytes())
    opened = open_embedder(tmp_path)
    assert opened.info == open_embedder(real.checkpoint).info
    assert opened.source == str(tmp_path)


def test_files_and_arrays_of_any_size_are_embedded(tmp_path: Path) -> None:
    path = colour_onnx(tmp_path / "colour.onnx")
    large = np.repeat(np.repeat(pictures(1), 3, axis=1), 3, axis=2)[0]
    small = pictures(1, seed=1)[0]
    Image.fromarray(small).save(tmp_path / "small.png")
    found = open_embedder(path).embed([large, tmp_path / "small.png", str(tmp_path / "small.png")])
    resized = np.asarray(Image.fromarray(large).resize((16, 32), Image.Resampling.BILINEAR))
    np.testing.assert_allclose(found, mean_colours(np.stack([resized, small, small])), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([], "no images"),
        (["nowhere.png"], "nowhere.png: no such image"),
        ([np.zeros((8, 8, 3), np.float32)], "float32"),
        ([np.zeros((8, 8), np.uint8)], "no uint8 RGB picture"),
        ([np.zeros((0, 8, 3), np.uint8)], "no uint8 RGB picture"),
    ],
)
def test_what_is_no_picture_is_refused(tmp_path: Path, images: list[object], message: str) -> None:
    embedder = open_embedder(colour_onnx(tmp_path / "colour.onnx"))
    with pytest.raises(InputError, match=message):
        embedder.embed(images)  # type: ignore[arg-type]


@pytest.mark.parametrize("images", [pictures(2, 16, 32), pictures(2)[0], pictures(2).astype(np.float32)])
def test_a_batch_of_another_shape_or_type_is_refused(tmp_path: Path, images: np.ndarray) -> None:
    embedder = open_embedder(colour_onnx(tmp_path / "colour.onnx"))
    with pytest.raises(InputError, match=r"takes uint8 \[B, 32, 16, 3\]"):
        embedder.embed_batch(images)


def test_a_preset_has_random_weights_the_same_every_time_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    first, second = open_embedder("retail-0248", device="cpu"), open_embedder("retail-0248", device="cpu")
    assert "random weights" in caplog.text
    assert first.random_weights
    assert first.info.preset == "retail-0248"
    images = pictures(2, 256, 128)
    assert np.array_equal(first.embed_batch(images), second.embed_batch(images))


def test_an_unknown_suffix_names_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "net.pth").touch()
    with pytest.raises(InputError, match=r"suffix '\.pth'") as caught:
        open_embedder(tmp_path / "net.pth")
    assert ".onnx, .safetensors, .xml" in str(caught.value.hint)


def test_a_suffix_in_capitals_is_the_same(tmp_path: Path) -> None:
    path = colour_onnx(tmp_path / "NET.ONNX")
    assert open_embedder(path).info.embedding_dim == 4


def test_the_runtime_asked_for_must_open_the_file(tmp_path: Path) -> None:
    path = colour_onnx(tmp_path / "net.onnx")
    with pytest.raises(InputError, match=r"runtime 'pytorch' opens \.safetensors, not '\.onnx'"):
        open_embedder(path, runtime="pytorch")
    with pytest.raises(UnknownName, match="no runtime named 'openvno'"):
        open_embedder(path, runtime="openvno")


def test_a_guest_opens_its_own_suffix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, "constant", "tests.runtimes.artefacts:Constant")
    (tmp_path / "a.constant").touch()
    assert open_embedder(tmp_path / "a.constant").embed(list(pictures(2))).tolist() == [[1, 2, 3]] * 2


def test_a_guest_takes_no_file_from_ours_unless_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, "constant", "tests.runtimes.artefacts:Constant")
    path = colour_onnx(tmp_path / "net.onnx")
    assert open_embedder(path).info.embedding_dim == 4
    asked = open_embedder(path, runtime=Spec(name="constant", last=7.0))
    assert asked.embed_batch(pictures(1)).tolist() == [[1, 2, 7]]


def test_a_broken_guest_is_left_out_with_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    register(monkeypatch, "broken", "there_is_no_such_module:Runtime")
    (tmp_path / "net.other").touch()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            with pytest.raises(InputError, match=r"suffix '\.other'"):
                open_embedder(tmp_path / "net.other")
        assert open_embedder(colour_onnx(tmp_path / "net.onnx")).info.embedding_dim == 4
    assert caplog.text.count("'broken' is left out") == 1
    with pytest.raises(PluginError, match="there_is_no_such_module"):
        open_embedder(tmp_path / "net.onnx", runtime="broken")


def test_an_engine_is_loaded_when_it_is_needed_and_no_other(tmp_path: Path) -> None:
    assert run_in_child(jobs.engines_after_listing, timeout_s=60) == set()
    path = colour_onnx(tmp_path / "colour.onnx")
    assert run_in_child(jobs.engines_after_embedding, path, timeout_s=60) == {"openvino"}
