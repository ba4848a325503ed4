"""Speed, memory and load time of artefacts on this machine, and which of them to deploy."""

from reidctl.benchmarking.advice import Advice, advise, remarks
from reidctl.benchmarking.axes import Axes, Combination, combinations
from reidctl.benchmarking.rows import Accuracy, BenchRow, Measured
from reidctl.benchmarking.run import PRESETS, bench

__all__ = [
    "PRESETS",
    "Accuracy",
    "Advice",
    "Axes",
    "BenchRow",
    "Combination",
    "Measured",
    "advise",
    "bench",
    "combinations",
    "remarks",
]
