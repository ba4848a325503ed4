import pytest

from reidctl.benchmarking import devices
from reidctl.errors import InputError


@pytest.fixture(autouse=True)
def _two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one engine they are called GPU.0 and GPU.1, of the other cuda:0 and cuda:1."""
    there = {"openvino": ("CPU", "GPU.0", "GPU.1"), "eager": ("cpu", "cuda:0", "cuda:1")}
    monkeypatch.setattr(devices, "devices_of", there.get)


@pytest.mark.parametrize(
    ("engine", "name"),
    [("openvino", "cpu"), ("openvino", "gpu"), ("openvino", "GPU.1"), ("eager", "cuda"), ("eager", "CUDA:1")],
)
def test_a_device_is_named_by_its_kind_or_whole(engine: str, name: str) -> None:
    devices.require_device(name, [engine])


@pytest.mark.parametrize("name", ["cuda:2", "cud", "0", "gpu"])
def test_what_is_not_there_is_refused_with_what_is(name: str) -> None:
    with pytest.raises(InputError, match=f"no device '{name}' here") as caught:
        devices.require_device(name, ["eager"])
    assert caught.value.hint == "there are: cpu, cuda:0, cuda:1 (eager)"


def test_a_gpu_computes_bf16_too() -> None:
    assert devices.native_precisions("cuda", "eager") == ("f32", "bf16")
    assert devices.native_precisions("cuda", "openvino") is None
