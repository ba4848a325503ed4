"""What a queue of requests in Python reaches when nothing is handed to it and nothing taken from it."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from reidctl.benchmarking.worker import Round


def filled_queue(path: Path, hint: str, precision: str, batch: int, seconds: float) -> Round:
    """Asynchronous requests from Python on the graph as its file has it, whose inputs are filled once."""
    from openvino import AsyncInferQueue, Core

    settings = {"PERFORMANCE_HINT": hint.upper(), "INFERENCE_PRECISION_HINT": precision}
    compiled = Core().compile_model(Core().read_model(path), "CPU", settings)
    queue = AsyncInferQueue(compiled, compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
    for request in queue:
        tensor = request.get_input_tensor()
        tensor.data[:] = np.random.default_rng(0).integers(0, 256, tensor.data.shape)
    latencies: list[float] = []
    ended: list[float] = []

    def done(request: Any, begun: float) -> None:
        ended.append(perf_counter())
        latencies.append(ended[-1] - begun)

    queue.set_callback(done)
    for length in (0.5, seconds):
        latencies.clear()
        ended.clear()
        started = perf_counter()
        while perf_counter() - started < length:
            queue.start_async(userdata=perf_counter())
            queue.get_idle_request_id()
        queue.wait_all()
    in_time = [end for end in ended if end - started <= seconds]
    rate = len(in_time) / (max(in_time) - started) * batch
    return Round(precision, rate, latencies, 0.0, None, len(queue), 0)
