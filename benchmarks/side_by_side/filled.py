"""Requests of OpenVINO on inputs that are filled once: those of benchmark_app, and a queue of them from Python."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

from reidctl.benchmarking.worker import Round, peak_memory_mib


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
        worked, started = process_time(), perf_counter()
        while perf_counter() - started < length:
            queue.start_async(userdata=perf_counter())
            queue.get_idle_request_id()
        queue.wait_all()
    cpu = (process_time() - worked) / len(ended) / batch
    in_time = [end for end in ended if end - started <= seconds]
    rate = len(in_time) / (max(in_time) - started) * batch
    return Round(precision, rate, latencies, cpu, 0.0, peak_memory_mib(), len(queue), 0)


def benchmark_app(path: Path, hint: str, precision: str, batch: int, seconds: float) -> dict[str, float]:
    """What OpenVINO's benchmark_app reports, the processor time of its measuring loop an image, and its memory."""
    from openvino.tools.benchmark import benchmark
    from openvino.tools.benchmark import main as app

    loop, cpu = benchmark.Benchmark.main_loop, []

    def watched(self: Any, *arguments: Any) -> Any:
        worked = process_time()
        found = loop(self, *arguments)
        cpu.append(process_time() - worked)
        return found

    benchmark.Benchmark.main_loop = watched
    with tempfile.TemporaryDirectory() as folder:
        options = ["-m", str(path), "-d", "CPU", "-hint", hint, "-infer_precision", precision, "-t", str(int(seconds))]
        sys.argv = ["", *options, "-json_stats", "-report_type", "no_counters", "-report_folder", folder]
        app.main()
        found = json.loads(Path(folder, "benchmark_report.json").read_text())["execution_results"]
    images = int(found["total number of iterations"]) * batch
    return {
        "fps": float(found["throughput"]),
        "p50_ms": float(found["latency (ms)"]),
        "cpu_ms": cpu[0] / images * 1000,
        "memory_mib": peak_memory_mib() or 0.0,
    }
