"""Speed, memory and load time of artefacts on this machine."""

from reidctl.benchmarking.run import PRESETS, BenchRow, bench

__all__ = ["PRESETS", "BenchRow", "bench"]
