import errno
import os
import signal
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader

from reidctl.errors import ConfigError, DiskFull, InputError
from reidctl.training.device import algorithms, explained, lower_precision, seed_step


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


def test_a_lack_of_memory_names_the_batch_size() -> None:
    with pytest.raises(ConfigError, match="memory") as caught, explained():
        raise torch.OutOfMemoryError
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


def test_f16_on_a_cpu_is_said_to_be_slow(caplog: pytest.LogCaptureFixture) -> None:
    cpu = torch.device("cpu")
    assert lower_precision("f32", cpu) is None
    assert lower_precision("bf16", cpu) is torch.bfloat16
    assert caplog.text == ""
    assert lower_precision("f16", cpu) is torch.float16
    assert "ten times as long" in caplog.text


def test_a_full_disk_becomes_an_error_with_the_file_and_the_free_space(tmp_path: Path) -> None:
    def fail(number: int) -> None:
        with explained():
            raise OSError(number, os.strerror(number), str(tmp_path / "none" / "last.pt"))

    with pytest.raises(DiskFull, match=r"last\.pt: No space left on device, [\d,.]+ MB are free"):
        fail(errno.ENOSPC)
    with pytest.raises(PermissionError):
        fail(errno.EACCES)
