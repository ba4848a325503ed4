from pathlib import Path
from typing import Any

import pytest

from reidctl.benchmarking import Axes, combinations
from reidctl.benchmarking import devices as here
from reidctl.errors import ConfigError, InputError
from tests.runtimes.artefacts import colour_onnx, colour_xml

PRESET = "retail-0248"


def places(models: list[Any], **axes: Any) -> list[tuple[Any, ...]]:
    return [tuple(row)[1:] for row in combinations(models, Axes(**axes))]


def test_a_preset_is_measured_in_openvino_and_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reidctl.benchmarking.axes.native_precisions", lambda device, engine: ("f32",))
    assert places([PRESET], batches=(8,)) == [
        ("openvino", None, "CPU", "f32", 8, "latency", None, "ready"),
        ("openvino", None, "CPU", "f32", 8, "throughput", None, "ready"),
        ("eager", None, "CPU", "f32", 8, "latency", None, "ready"),
    ]


def test_every_axis_multiplies() -> None:
    found = places(
        [PRESET],
        engines=("openvino",),
        precisions=("f32", "bf16"),
        weights=("fp32", "fp16", "int8"),
        batches=(1, 2),
        hints=("throughput",),
        streams=(None, 1, 2),
        starts=("frames", "jpeg"),
    )
    assert len(found) == len(set(found)) == 2 * 3 * 2 * 3 * 2


def test_streams_belong_to_throughput() -> None:
    found = places([PRESET], engines=("openvino",), precisions=("f32",), batches=(1,), streams=(1, 2))
    assert [row[5:7] for row in found] == [("latency", None), ("throughput", 1), ("throughput", 2)]


def test_files_have_the_engine_that_opens_them_and_ir_keeps_its_weights(tmp_path: Path) -> None:
    onnx, xml = colour_onnx(tmp_path / "a.onnx"), colour_xml(tmp_path / "b.xml")
    axes = {
        "engines": ("openvino", "eager", "compiled"),
        "precisions": ("f32",),
        "batches": (1,),
        "hints": ("latency",),
    }
    assert [row[:2] for row in places([onnx], weights=("fp16",), **axes)] == [("openvino", "fp16")]
    assert [row[:2] for row in places([xml], weights=("fp16",), **axes)] == [("openvino", None)]


def test_pytorch_keeps_its_weights_too() -> None:
    found = places([PRESET], engines=("eager", "compiled"), weights=("fp16",), precisions=("f32",), batches=(1,))
    assert [row[:2] for row in found] == [("eager", None), ("compiled", None)]


@pytest.mark.parametrize(
    ("able", "precisions"), [(["FP32", "INT8"], {"f32"}), (["FP32", "BF16", "FP16"], {"f32", "bf16"})]
)
def test_precisions_are_those_that_the_device_has(
    monkeypatch: pytest.MonkeyPatch, able: list[str], precisions: set[str]
) -> None:
    class Core:
        available_devices = ("CPU",)

        def get_property(self, device: str, name: str) -> list[str]:
            assert (device, name) == ("CPU", "OPTIMIZATION_CAPABILITIES")
            return able

    monkeypatch.setattr(here, "_core", Core)
    assert {row[3] for row in places([PRESET], engines=("openvino",))} == precisions


def test_a_device_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(InputError, match="no device 'NPU' here") as raised:
        combinations([PRESET], Axes(devices=("CPU", "NPU")))
    assert raised.value.hint is not None
    assert raised.value.hint.startswith("there are: CPU")


def test_what_leaves_nothing_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no eager with latency"):
        combinations([colour_onnx(tmp_path / "a.onnx")], Axes(engines=("eager",), hints=("latency",)))
    with pytest.raises(InputError, match="no models"):
        combinations([], Axes())
    with pytest.raises(InputError, match="no such model"):
        combinations(["nowhere.onnx"], Axes())


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"engines": ("tensorrt",)}, "engine 'tensorrt' is none of openvino, eager, compiled"),
        ({"precisions": ("f8",)}, "precision 'f8'"),
        ({"weights": ("int4",)}, "weights 'int4'"),
        ({"hints": ("speed",)}, "hint 'speed' is none of latency, throughput"),
        ({"starts": ("video",)}, "start 'video' is none of ready, frames, jpeg"),
        ({"batches": (0,)}, "a batch of 0"),
        ({"streams": (0,)}, "a number of streams of 0"),
        ({"batches": ()}, "an axis is empty"),
    ],
)
def test_nonsense_is_refused(axes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Axes(**axes)
