"""Engines whose every batch takes a known time, and rows with figures that were chosen."""

import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reidctl.benchmarking import Accuracy, BenchRow, Combination, Measured

PAUSE_S = 0.01


class OneByOne:
    def __init__(self) -> None:
        self.seen = 0

    def embed_batch(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.seen += 1
        time.sleep(PAUSE_S)
        return np.zeros((len(images), 1), np.float32)


class TwoAtOnce(OneByOne):
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
        time.sleep(PAUSE_S * len(waiting))
        for finished in waiting:
            done(finished, None)


def a_row(**changes: Any) -> BenchRow:
    """A measured row of 100 images/s and 10 ms; changes by the name of any of its figures, None for no accuracy."""
    what = Combination("net", "openvino", None, "CPU", "f32", 1, "latency", None, "ready")
    measured = Measured("f32", 1, 1, 100.0, 0.01, 10.0, 11.0, 12.0, 9.0, 1.0, 150.0)
    accuracy, error = changes.pop("mAP", None), changes.pop("error", None)
    what = what._replace(**{key: changes.pop(key) for key in list(changes) if key in what._fields and key != "weights"})
    measured = Measured(**{**vars(measured), **changes})
    found = None if accuracy is None else Accuracy("drawn", accuracy, accuracy + 0.05)
    return BenchRow(what, None if error else measured, found, error)
