import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reidctl.errors import InputError
from reidctl.export import Verification, export_ir, export_onnx, verify
from reidctl.export.compare import TOLERANCES, Difference
from reidctl.export.verification import Embedded, Scores, compared, embedded
from reidctl.types import ReidData, Sample
from tests.runtimes.artefacts import HEIGHT, WEIGHT, WIDTH, Real, colour_info, colour_onnx, held, pictures


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


def test_many_images_may_take_longer(tmp_path: Path, samples: list[Sample], monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[float] = []

    def timed(*_: object, timeout_s: float) -> Embedded:
        limits.append(timeout_s)
        return Embedded(colour_info(), np.ones((1, 4), np.float32))

    monkeypatch.setattr("reidctl.export.verification.run_in_child", timed)
    for count in (1, 93_820):
        embedded(tmp_path, samples[:1] * count)
    assert limits == [1801, 95_620]


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


def people(count: int) -> ReidData:
    """Each of one colour, before two cameras."""

    def seen(camera: int) -> tuple[Sample, ...]:
        colours = [np.full((HEIGHT, WIDTH, 3), (25 * i, 250 - 20 * i, 90 * (i % 3)), np.uint8) for i in range(count)]
        return tuple(
            Sample(partial(Image.fromarray, colour), f"{camera}-{i}", i, camera) for i, colour in enumerate(colours)
        )

    return ReidData("colours", query=seen(0), gallery=seen(1))


def test_with_labels_it_tells_what_both_reach(tmp_path: Path, samples: list[Sample]) -> None:
    """Without the weights of two embeddings of four, a network confuses people whom the other tells apart."""
    path = colour_onnx(tmp_path / "colour.onnx", info=colour_info())
    blind = WEIGHT * np.float32([0, 0, 0, 1])
    other = colour_onnx(tmp_path / "other.onnx", weight=blind, info=colour_info())
    target = people(6)
    found = verify(path, other, samples, targets=[target])
    assert found.images == len(samples) + 12
    [scores] = found.scores
    assert (scores.target, scores.queries) == ("colours", 6)
    assert scores.rank1[0] == scores.mAP[0] == 1
    assert scores.mAP[1] < 0.9
    assert not scores.within(TOLERANCES["int8"])
    assert found.as_dict()["scores"][0]["mAP"] == scores.mAP


@pytest.mark.parametrize(("queries", "rank1", "fine"), [(1000, 0.9994, True), (1000, 0.998, False), (4, 0.75, True)])
def test_figures_may_differ_by_what_one_query_makes(queries: int, rank1: float, fine: bool) -> None:
    assert Scores("t", queries, (1.0, rank1), (0.9, 0.9)).within(TOLERANCES["f32"]) is fine
    assert Scores("t", queries, (rank1, 1.0), (0.9, 0.9)).within(TOLERANCES["f32"]) is fine


def test_figures_that_differ_make_another_network_of_equal_embeddings() -> None:
    fine = Verification("a", "b", 1, difference=Difference(1, 1, 1, 0, 0, 1), tolerance=TOLERANCES["f32"])
    assert fine.ok
    assert not replace(fine, scores=(Scores("t", 1000, (0.9, 0.9), (0.8, 0.79)),)).ok


def test_unit_lengths_are_compared_by_direction(tmp_path: Path, samples: list[Sample]) -> None:
    checkpoint_like = export_onnx(held(), tmp_path / "plain.onnx", verify=False)
    unit = export_onnx(held(), tmp_path / "unit.onnx", l2_normalize=True, verify=False)
    found = verify(unit, checkpoint_like, samples)
    assert found.ok
    assert found.direction
    assert found.difference is not None
    assert found.difference.max_abs_diff < 1e-5


def test_a_device_that_is_not_there_is_an_error(tmp_path: Path, samples: list[Sample]) -> None:
    path = colour_onnx(tmp_path / "colour.onnx", info=colour_info())
    with pytest.raises(InputError, match="OpenVINO finds no device 'HAL9000' here") as caught:
        verify(path, path, samples, device="HAL9000")
    assert "CPU" in str(caught.value.hint)


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


@pytest.mark.parametrize(
    ("weights", "arithmetic", "coarser"),
    [("f16", "bf16", "bf16"), ("f16", None, "f16"), ("f32", "f16", "f16"), ("int8", "bf16", "int8")],
)
def test_the_coarser_of_weights_and_arithmetic_is_named(weights: str, arithmetic: str | None, coarser: str) -> None:
    vectors = np.eye(4, dtype=np.float32)
    pair = [Embedded(colour_info(precision=weights), vectors)] * 2
    assert compared(("a", "b"), pair, precision=arithmetic).precisions == (coarser, coarser)
