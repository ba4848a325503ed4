from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from reidctl.benchmarking import Axes, bench, files, run
from reidctl.benchmarking.worker import Round
from reidctl.errors import CheckFailed, InputError
from reidctl.retrieval import evaluate
from reidctl.runtimes.child import Crashed
from reidctl.types import Embeddings, ReidData, Sample
from tests.runtimes.artefacts import HEIGHT, WIDTH, Real, colour_onnx, mean_colours, pictures

ONE = Axes(precisions=("f32",), batches=(1,), hints=("latency",))


def test_every_combination_becomes_a_row(tmp_path: Path) -> None:
    path = colour_onnx(tmp_path / "two.onnx", (2, 3, HEIGHT, WIDTH))
    called: list[int] = []
    axes = Axes(precisions=("f32",), batches=(1, 2), hints=("throughput",))
    rows = bench([path], axes, seconds=0.4, repeats=2, progress=lambda: called.append(1))
    assert len(called) == 2 * 2
    assert [(row.what.model, row.what.engine, row.what.precision, row.what.batch) for row in rows] == [
        (str(path), "openvino", "f32", 1),
        (str(path), "openvino", "f32", 2),
    ]
    assert [row.error for row in rows] == ["made for batches of 2", None]
    measured = rows[1].measured
    assert measured is not None
    assert measured.fps > 0
    assert measured.spread >= 0
    assert measured.p50_ms <= measured.p95_ms <= measured.p99_ms
    assert measured.memory_mib is not None
    assert 20 < measured.memory_mib < 1000


def a_round(rate: float) -> Round:
    return Round("f32", rate, [0.01], 0.01, 1.0, 100.0, 1, 1)


def test_repeats_go_round_through_all_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[tuple[str, float]] = []

    def measured(function: Any, job: run.Job, timeout_s: float) -> Round:
        order.append((job.hint, job.seconds))
        return a_round(float(len(order)))

    monkeypatch.setattr(run, "run_in_child", measured)
    rows = bench([colour_onnx(tmp_path / "a.onnx")], Axes(precisions=("f32",), batches=(1,)), seconds=6, repeats=3)
    assert order == [("latency", 2.0), ("throughput", 2.0)] * 3
    assert [row.measured and row.measured.fps for row in rows] == [3.0, 4.0]


def test_what_crashes_is_a_row_and_the_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def crashing(function: Any, job: run.Job, timeout_s: float) -> Round:
        tried.append(job.hint)
        if job.hint == "latency":
            raise Crashed("the process died of SIGSEGV")
        return a_round(5.0)

    monkeypatch.setattr(run, "run_in_child", crashing)
    first, second = bench([colour_onnx(tmp_path / "a.onnx")], Axes(precisions=("f32",), batches=(1,)), repeats=2)
    assert tried == ["latency", "throughput", "throughput"]
    assert (first.error, first.measured) == ("the process died of SIGSEGV", None)
    assert second.measured is not None


def test_a_preset_is_exported_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    exported: list[Path] = []

    def export(checkpoint: Path, path: Path) -> Path:
        exported.append(checkpoint)
        return colour_onnx(path)

    monkeypatch.setattr(files, "export_onnx", export)
    monkeypatch.setattr(run, "run_in_child", on_a_file(".onnx"))
    rows = bench(["retail-0248", "retail-0270"], Axes(engines=("openvino",), batches=(1, 2), hints=("latency",)))
    assert len(exported) == 2
    assert "preset retail-0248: random weights" in caplog.text
    assert {row.what.model for row in rows} == {"retail-0248", "retail-0270"}


def on_a_file(suffix: str) -> Callable[..., Round]:
    def here(function: Any, job: run.Job, timeout_s: float) -> Round:
        assert job.path.is_file()
        assert job.path.suffix == suffix
        return a_round(1.0)

    return here


def test_an_export_that_fails_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> Path:
        raise CheckFailed("not the same network")

    monkeypatch.setattr(files, "export_onnx", failing)
    monkeypatch.setattr(run, "run_in_child", on_a_file(".safetensors"))
    openvino, eager = bench(["retail-0248"], ONE)
    assert openvino.error == "not the same network"
    assert eager.measured is not None


def test_weights_are_converted_and_int8_is_made_for_its_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[str, object, int]] = []

    def export(onnx: Path, folder: Path, *, weights: str, batch: object, calibration: tuple[Sample, ...] = ()) -> Path:
        made.append((weights, batch, len(calibration)))
        return colour_onnx(folder / "a.onnx")

    monkeypatch.setattr(files, "export_ir", export)
    monkeypatch.setattr(run, "run_in_child", on_a_file(".onnx"))
    axes = Axes(precisions=("f32",), weights=("fp16", "int8"), batches=(1, 4))
    bench([colour_onnx(tmp_path / "a.onnx")], axes)
    assert [row[:2] for row in made] == [("fp16", "dynamic"), ("int8", 1), ("int8", 4)]
    assert made[0][2] == 0
    assert made[1][2] == made[2][2] > 100


def test_a_file_of_one_batch_is_converted_for_that_of_the_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def export(onnx: Path, folder: Path, *, weights: str, batch: object) -> Path:
        made.append(batch)
        return colour_onnx(folder / "a.onnx")

    monkeypatch.setattr(files, "export_ir", export)
    monkeypatch.setattr(run, "run_in_child", on_a_file(".onnx"))
    axes = Axes(precisions=("f32",), weights=("fp32",), batches=(1, 2), hints=("latency",))
    bench([colour_onnx(tmp_path / "two.onnx", (2, 3, HEIGHT, WIDTH))], axes)
    assert made == [1, 2]


def test_accuracy_is_that_of_the_embeddings(tmp_path: Path) -> None:
    """The networks give mean colours, so that two lines of numpy tell what they reach."""
    shown = pictures(12)
    samples = []
    for index, image in enumerate(shown):
        Image.fromarray(image).save(tmp_path / f"{index}.png")
        samples.append(Sample(tmp_path / f"{index}.png", str(index), index % 4, index // 4))
    data = ReidData("drawn", query=tuple(samples[:4]), gallery=tuple(samples[4:]))
    [row] = bench([colour_onnx(tmp_path / "a.onnx")], ONE, seconds=0.1, repeats=1, data=data)
    expected = mean_colours(shown).astype(np.float32)
    found = evaluate(Embeddings(expected[:4], data.query), Embeddings(expected[4:], data.gallery))
    assert row.accuracy is not None
    assert row.accuracy.data == "drawn"
    assert row.accuracy.mAP == pytest.approx(found.mAP, abs=1e-6)
    assert row.accuracy.rank1 == pytest.approx(found.cmc[1], abs=1e-6)


def test_a_network_without_accuracy_keeps_its_speed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def slow_at_scoring(function: Any, job: run.Job, *samples: object, timeout_s: float) -> Round:
        if samples:
            tried.append(job.batch)
            raise Crashed(f"no answer after {timeout_s:g} s, stopped")
        return a_round(5.0)

    monkeypatch.setattr(run, "run_in_child", slow_at_scoring)
    sample = Sample(tmp_path / "a.png", "a", 0, 0)
    data = ReidData("drawn", query=(sample,), gallery=(sample,) * 93_819)
    axes = Axes(precisions=("f32",), batches=(1, 2), hints=("latency",))
    rows = bench([colour_onnx(tmp_path / "a.onnx")], axes, repeats=1, data=data)
    assert tried == [1]  # Both rows are of one network.
    for row in rows:
        assert row.measured is not None
        assert row.measured.fps == 5.0
        assert (row.accuracy, row.error) == (None, "no accuracy: no answer after 95620 s, stopped")


def test_what_takes_too_long_becomes_a_row(tmp_path: Path) -> None:
    path = colour_onnx(tmp_path / "colour.onnx")
    (row,) = bench([path], ONE, seconds=0.1, repeats=1, timeout_s=-0.09)
    assert row.measured is None
    assert row.error == "no answer after 0.01 s, stopped"


@pytest.mark.slow
def test_a_checkpoint_is_measured_in_every_engine(real: Real) -> None:
    axes = Axes(engines=("openvino", "eager", "compiled"), precisions=("f32",), batches=(1,), starts=("ready", "jpeg"))
    rows = bench([real.checkpoint], axes, seconds=0.5, repeats=1)
    assert [row.error for row in rows] == [None] * 8


@pytest.mark.parametrize("parameters", [{"seconds": 0}, {"repeats": 0}])
def test_no_time_is_refused_before_anything_starts(parameters: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="seconds are above 0 and repeats 1 or more"):
        bench(["retail-0248"], **parameters)
