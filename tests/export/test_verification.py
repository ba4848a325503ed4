import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reidctl.errors import InputError
from reidctl.export import export_ir, verify
from reidctl.types import Sample
from tests.runtimes.artefacts import WEIGHT, Real, colour_info, colour_onnx, pictures


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    folder = tmp_path / "images"
    folder.mkdir()
    for index, picture in enumerate(pictures(5)):
        Image.fromarray(picture).save(folder / f"{index}.png")
    return [Sample(path, path.stem, 0, 0) for path in sorted(folder.iterdir())]


def test_an_export_is_the_same_network(tmp_path: Path, samples: list[Sample]) -> None:
    path = colour_onnx(tmp_path / "colour.onnx", info=colour_info())
    found = verify(path, export_ir(path, weights="fp16"), samples)
    assert found.ok
    assert found.precisions == ("f32", "f16")
    assert found.difference is not None
    assert found.difference.neighbour_agreement == 1
    assert found.as_dict()["ok"] is True
    assert found.as_dict()["difference"]["cosine_min"] > 0.9999


def test_other_weights_are_another_network(tmp_path: Path, samples: list[Sample]) -> None:
    path = colour_onnx(tmp_path / "colour.onnx", info=colour_info())
    other = colour_onnx(tmp_path / "other.onnx", weight=WEIGHT + np.float32(0.05), info=colour_info())
    found = verify(path, other, samples)
    assert not found.ok
    assert found.error is None
    assert found.difference is not None
    assert found.difference.relative_error > 1e-2


def test_a_crash_is_an_answer(tmp_path: Path, samples: list[Sample]) -> None:
    path = colour_onnx(tmp_path / "colour.onnx", info=colour_info())
    found = verify(path, path, [*samples, Sample(os.abort, "crash", 0, 0)])
    assert not found.ok
    assert found.difference is None
    assert found.error == f"{path}: the process died of SIGABRT"


def test_what_takes_too_long_is_an_answer(tmp_path: Path, samples: list[Sample]) -> None:
    path = colour_onnx(tmp_path / "colour.onnx", info=colour_info())
    assert verify(path, path, samples, timeout_s=0.01).error == f"{path}: no answer after 0.01 s, stopped"


def test_a_damaged_image_is_an_error_of_its_own(tmp_path: Path, samples: list[Sample]) -> None:
    path = colour_onnx(tmp_path / "colour.onnx", info=colour_info())
    samples[2].image.write_bytes(b"no image")  # type: ignore[union-attr]
    with pytest.raises(InputError, match=r"2.png: cannot be read"):
        verify(path, path, samples)


def test_what_is_not_there_is_an_error_before_anything_starts(tmp_path: Path, samples: list[Sample]) -> None:
    path = colour_onnx(tmp_path / "colour.onnx", info=colour_info())
    with pytest.raises(InputError, match=r"no such model: .*collour.onnx") as caught:
        verify(path, tmp_path / "collour.onnx", samples)
    assert "colour.onnx" in str(caught.value.hint)
    with pytest.raises(InputError, match="no images"):
        verify(path, path, [])


def test_embeddings_of_different_lengths_are_not_compared(tmp_path: Path, samples: list[Sample]) -> None:
    path = colour_onnx(tmp_path / "colour.onnx", info=colour_info())
    short = colour_onnx(tmp_path / "short.onnx", weight=WEIGHT[:, :2], info=colour_info(embedding_dim=2))
    with pytest.raises(InputError, match="lengths 4 and 2"):
        verify(path, short, samples)


@pytest.mark.slow
def test_a_checkpoint_and_its_ir_are_the_same_network(real: Real, samples: list[Sample]) -> None:
    found = verify(real.checkpoint, real.xml, samples)
    assert found.ok
    assert found.precisions == ("f32", "f32")


@pytest.mark.slow
def test_a_published_network_agrees_with_its_int8_form(real_data: Path) -> None:
    from reidctl.api import load_dataset

    folder = real_data / "models" / "omz"
    name = "person-reidentification-retail-0287.xml"
    queries = load_dataset("market1501", real_data / "data").query[:60]
    found = verify(folder / "0287-FP32" / name, folder / "0287-INT8" / name, queries)
    assert found.ok
    assert found.precisions == ("f32", "int8")
    assert not verify(folder / "0287-FP32" / name, folder / "0286-FP16" / name.replace("0287", "0286"), queries).ok
