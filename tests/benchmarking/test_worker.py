from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reidctl.benchmarking.worker import Job, measure, peak_memory_mib, vectors
from reidctl.errors import InputError
from reidctl.types import Sample
from tests.runtimes.artefacts import HEIGHT, WIDTH, Real, colour_onnx, mean_colours, pictures


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


def test_one_batch_at_a_time_has_one_stream(tmp_path: Path) -> None:
    found = measure(job(colour_onnx(tmp_path / "colour.onnx")))
    assert (found.requests, found.streams, found.weights) == (1, 1, "f32")
    assert len(found.latencies) > 1
    assert min(found.latencies) > 0
    # Batches that follow each other take no less than all the time there is, so 2 images each at most this rate.
    assert found.rate <= 2 / np.mean(found.latencies) * 1.05
    assert 0 < found.load_s < 60


@pytest.mark.parametrize("streams", [1, 2])
def test_streams_are_as_many_as_asked_for(tmp_path: Path, streams: int) -> None:
    found = measure(job(colour_onnx(tmp_path / "colour.onnx"), hint="throughput", streams=streams))
    assert found.streams == streams
    assert found.requests >= streams


@pytest.mark.parametrize("start", ["frames", "jpeg"])
@pytest.mark.parametrize("hint", ["latency", "throughput"])
def test_from_files_on(tmp_path: Path, start: str, hint: str) -> None:
    samples = images(tmp_path)
    found = measure(job(colour_onnx(tmp_path / "colour.onnx"), start=start, hint=hint, samples=samples))
    assert found.rate > 0


def test_embeddings_are_those_of_the_artefact(tmp_path: Path) -> None:
    samples = images(tmp_path)
    found = vectors(job(colour_onnx(tmp_path / "colour.onnx", (2, 3, HEIGHT, WIDTH))), samples)
    assert found == pytest.approx(mean_colours(pictures(3)), abs=1e-4)


def images(folder: Path) -> tuple[Sample, ...]:
    """The pictures of the network's size as files, three to make the last batch of two a short one."""
    for index, image in enumerate(pictures(3)):
        Image.fromarray(image).save(folder / f"{index}.png")
    return tuple(Sample(folder / f"{index}.png", str(index), index, 0) for index in range(3))


@pytest.mark.slow
@pytest.mark.parametrize("compiled", [False, True])
def test_a_checkpoint_is_measured_through_pytorch(real: Real, compiled: bool) -> None:
    found = measure(job(real.checkpoint, runtime="pytorch", device="CPU", compiled=compiled))
    assert found.rate > 0
    assert (found.requests, found.streams) == (1, 1)


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
