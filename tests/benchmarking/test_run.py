from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reidctl.benchmarking import BenchRow, bench, run
from reidctl.errors import InputError
from tests.runtimes.artefacts import HEIGHT, WIDTH, colour_onnx, make_real


def test_every_combination_becomes_a_row(tmp_path: Path) -> None:
    path = colour_onnx(tmp_path / "two.onnx", (2, 3, HEIGHT, WIDTH))
    seen: list[BenchRow] = []
    rows = bench([path], precisions=("f32",), batches=(1, 2), hints=("throughput",), seconds=0.2, progress=seen.append)
    assert seen == rows
    assert [(row.model, row.runtime, row.precision, row.batch) for row in rows] == [
        (str(path), "openvino", "f32", 1),
        (str(path), "openvino", "f32", 2),
    ]
    assert [row.error for row in rows] == ["made for batches of 2", None]
    measured = rows[1].measured
    assert measured is not None
    assert measured.fps > 0
    assert measured.memory_mib is not None
    assert 20 < measured.memory_mib < 1000


def test_rows_are_plain_values(tmp_path: Path) -> None:
    path = colour_onnx(tmp_path / "one.onnx")
    rows = bench([path], precisions=("f32", "f8"), batches=(1,), hints=("latency",), seconds=0.1)
    assert [row.error for row in rows] == [None, "OpenVINO computes no 'f8'"]
    good, bad = (row.as_dict() for row in rows)
    assert good.keys() == bad.keys()
    assert bad["fps"] is None
    assert good["fps"] > 0
    assert good["error"] is None


def test_a_preset_is_exported_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exported: list[Any] = []

    def export(name: str, path: Path) -> Path:
        exported.append(name)
        return colour_onnx(path)

    monkeypatch.setattr(run, "export_onnx", export)
    monkeypatch.setattr(run, "run_in_child", instead_of_a_child())
    rows = bench(["retail-0248", "retail-0248", "retail-0270"], precisions=("f32",), batches=(1,), hints=("latency",))
    assert exported == ["retail-0248", "retail-0270"]
    assert [row.model for row in rows] == ["retail-0248", "retail-0248", "retail-0270"]


def instead_of_a_child() -> Callable[..., None]:
    def here(function: Any, job: run.Job, timeout_s: float) -> None:
        assert job.path.is_file()

    return here


def test_what_takes_too_long_becomes_a_row(tmp_path: Path) -> None:
    path = colour_onnx(tmp_path / "colour.onnx")
    (row,) = bench([path], precisions=("f32",), batches=(1,), hints=("latency",), seconds=0.1, timeout_s=-0.09)
    assert row.measured is None
    assert row.error == "no answer after 0.01 s, stopped"


@pytest.mark.slow
def test_a_checkpoint_is_measured_through_pytorch(tmp_path_factory: pytest.TempPathFactory) -> None:
    checkpoint = make_real(tmp_path_factory).checkpoint
    latency, throughput = bench([checkpoint], precisions=("f32",), batches=(1,), seconds=0.5)
    assert latency.runtime == "pytorch"
    assert latency.measured is not None
    assert latency.measured.fps > 0
    assert throughput.error == "runtime pytorch runs one batch at a time"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"models": []}, "no models"),
        ({"models": ["nowhere.onnx"]}, "no such model: nowhere.onnx"),
        ({"batches": (0,)}, "batches 1 or more"),
        ({"seconds": 0}, "seconds are above 0"),
        ({"hints": ("speed",)}, "hint 'speed' is none of latency, throughput"),
    ],
)
def test_nonsense_is_refused_before_anything_starts(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        bench(**{"models": ["retail-0248"], **parameters})
