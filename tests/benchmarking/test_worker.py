import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from reidctl.benchmarking import worker
from reidctl.benchmarking.worker import Job, measure, peak_memory_mib
from reidctl.errors import InputError
from tests.runtimes.artefacts import HEIGHT, WIDTH, colour_onnx, pictures

PAUSE_S = 0.01


class Steady:
    """Takes the same time for every batch, two at once when streamed."""

    def __init__(self) -> None:
        self.seen = 0

    def embed_batch(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.seen += 1
        time.sleep(PAUSE_S)
        return np.zeros((len(images), 1), np.float32)

    def embed_stream(self, batches: Iterable[NDArray[np.uint8]], done: Callable[..., None]) -> None:
        waiting: list[int] = []
        for index, _ in enumerate(batches):
            self.seen += 1
            waiting.append(index)
            if len(waiting) == 2:
                time.sleep(PAUSE_S)
                for finished in waiting:
                    done(finished, None)
                waiting.clear()
        for finished in waiting:
            done(finished, None)


def test_batches_one_by_one_are_each_timed() -> None:
    engine = Steady()
    latencies, elapsed = worker._one_by_one(engine, pictures(1), 0.2)
    assert len(latencies) == engine.seen
    assert min(latencies) >= PAUSE_S
    assert elapsed == pytest.approx(sum(latencies), rel=0.05)
    assert elapsed >= 0.2


def test_batches_under_way_together_are_each_timed() -> None:
    engine = Steady()
    latencies, elapsed = worker._streamed(engine, pictures(1), 0.2)
    assert len(latencies) == engine.seen
    assert min(latencies) >= 0
    assert max(latencies) >= PAUSE_S
    assert elapsed >= 0.2
    assert sum(latencies) > 1.2 * elapsed  # they overlap


def test_no_time_is_enough_for_one_batch() -> None:
    for run in (worker._one_by_one, worker._streamed):
        assert len(run(Steady(), pictures(1), 0)[0]) == 1


def test_peak_memory_rises_with_what_is_held() -> None:
    before = peak_memory_mib()
    assert before is not None
    held = np.ones(200 * 2**20, np.uint8)
    after = peak_memory_mib()
    assert after is not None
    assert held[-1] == 1
    assert before + 100 < after < before + 400


def job(path: Path, **changes: object) -> Job:
    values = {"runtime": "openvino", "device": "CPU", "precision": "f32", "batch": 2, "hint": "latency", "seconds": 0.2}
    return Job(path, **{**values, **changes})  # type: ignore[arg-type]


def test_figures_fit_together(tmp_path: Path) -> None:
    found = measure(job(colour_onnx(tmp_path / "colour.onnx")))
    assert found.requests == 1
    assert 0 < found.p50_ms <= found.p90_ms
    # One batch at a time: between two batches nothing but Python happens.
    assert 0.2 * found.fps < 2 * 1000 / found.p50_ms
    assert 0 < found.load_s < 60


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch": 3}, "made for batches of 2"),
        ({"runtime": "pytorch", "hint": "throughput"}, "one batch at a time"),
        ({"precision": "f8"}, "computes no 'f8'"),
        ({"device": "NPU"}, "no device 'NPU'"),
    ],
)
def test_what_cannot_be_measured_says_why(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    path = colour_onnx(tmp_path / "colour.onnx", (2, 3, HEIGHT, WIDTH))
    with pytest.raises(InputError, match=message):
        measure(job(path, **changes))
