import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader

from reidctl.errors import ConfigError, DiskFull, InputError
from reidctl.training import device
from reidctl.training.device import algorithms, current, explained, lower_precision, resolve_precision, seed_step

CPU = torch.device("cpu")


def test_a_seeded_step_draws_what_torch_draws_after_the_same_seed() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    seed_step(7)
    assert torch.equal(torch.rand(3), expected)


def test_deterministic_algorithms_are_asked_for_within_the_block_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    with algorithms(deterministic=True):
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.backends.cudnn.benchmark
    assert not torch.are_deterministic_algorithms_enabled()
    with algorithms(deterministic=False):
        assert torch.backends.cudnn.benchmark
    assert not torch.backends.cudnn.benchmark


def test_deterministic_f32_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    with algorithms(deterministic=False):
        assert torch.backends.cudnn.allow_tf32
    with algorithms(deterministic=True):
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize(("name", "number"), [("cuda:1", 1), ("cuda", -1), ("cpu", -1)])
def test_a_gpu_with_a_number_is_the_current_one_within_the_block(
    name: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, switched = min(number, 0), list[int]()
    monkeypatch.setattr(torch.cuda, "_exchange_device", lambda index: [before, switched.append(index)][0])
    monkeypatch.setattr(torch.cuda, "_maybe_exchange_device", switched.append)
    with current(torch.device(name)):
        assert switched == [number]
    assert switched == [number, before]


def _raise_out_of_gpu_memory() -> None:
    raise torch.OutOfMemoryError


@pytest.mark.parametrize(
    ("fill", "whose"),
    [
        (_raise_out_of_gpu_memory, "the GPU's"),
        (lambda: torch.empty(1 << 60, dtype=torch.uint8), "this machine's"),
    ],
)
def test_a_lack_of_memory_names_the_batch_size(fill: Callable[[], object], whose: str) -> None:
    with pytest.raises(ConfigError, match=f"{whose} memory does not hold") as caught, explained():
        fill()
    assert "train.batch_size" in str(caught.value.hint)


def test_a_lack_of_a_deterministic_algorithm_names_the_key() -> None:
    with pytest.raises(ConfigError, match=r"^deterministic: "), algorithms(deterministic=True), explained():
        torch.zeros(4).put_(torch.tensor([0]), torch.tensor([1.0]), accumulate=False)


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="shape"), explained():
        torch.zeros(2).view(3)


class _Dying:
    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> int:
        os.kill(os.getpid(), signal.SIGKILL)
        return index


def test_a_worker_that_was_killed_is_explained() -> None:
    with pytest.raises(InputError, match="a process that reads images died") as caught, explained():
        list(DataLoader(_Dying(), num_workers=1))  # type: ignore[arg-type]
    assert "data.workers" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("amx", "avx512", "expected"), [(False, False, "f32"), (True, False, "bf16"), (False, True, "bf16")]
)
def test_auto_is_bf16_where_the_cpu_computes_it_and_f32_in_deterministic_runs(
    amx: bool, avx512: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    assert resolve_precision("auto", CPU, deterministic=False) == expected
    assert resolve_precision("auto", CPU, deterministic=True) == "f32"
    assert resolve_precision("f16", CPU, deterministic=False) == "f16"
    assert resolve_precision("auto", torch.device("meta"), deterministic=False) == "f32"


def test_auto_is_bf16_on_gpus_that_compute_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for native, expected in ((True, "bf16"), (False, "f32")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation, native=native: native)
        assert resolve_precision("auto", torch.device("cuda"), deterministic=False) == expected


def test_a_precision_that_is_slow_here_is_said_to_be(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "computes_bf16", lambda _: True)
    assert lower_precision("f32", CPU) is None
    assert lower_precision("bf16", CPU) is torch.bfloat16
    assert caplog.text == ""
    assert lower_precision("f16", CPU) is torch.float16
    assert "ten times as long" in caplog.text
    monkeypatch.setattr(device, "computes_bf16", lambda _: False)
    assert lower_precision("bf16", CPU) is torch.bfloat16
    assert "bf16: this cpu lacks it" in caplog.text


def test_a_full_disk_becomes_an_error_with_the_file_and_the_free_space(tmp_path: Path) -> None:
    def fail(number: int) -> None:
        with explained():
            raise OSError(number, os.strerror(number), str(tmp_path / "none" / "last.pt"))

    with pytest.raises(DiskFull, match=r"last\.pt: No space left on device, [\d,.]+ MB are free"):
        fail(errno.ENOSPC)
    with pytest.raises(PermissionError):
        fail(errno.EACCES)
