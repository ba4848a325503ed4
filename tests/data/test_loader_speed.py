import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "loader.py"


@pytest.mark.slow
def test_the_benchmark_compares_reading_and_tells_how_long_a_training_waits() -> None:
    """Files that are drawn; too few for the figures to mean anything."""
    options = ["--height", "32", "--images", "72", "--cache", "memory", "--workers", "0", "--repeat", "1"]
    command = [sys.executable, SCRIPT, *options, "--seconds", "0.1", "--json"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    reading, training = found["tables"]
    plain, memory = reading["rows"]
    assert (plain["way"], plain["ratio"], memory["way"]) == ("plain", 1.0, "memory")
    assert memory["ratio"] == memory["images_per_second"] / plain["images_per_second"]
    assert [row["stage"] for row in training["rows"]] == ["frozen", "whole"]
    # Without workers a batch is read while the loop waits for it, and only then.
    assert all(0 < row["waiting"] < 1 and row["images_per_second"] > 0 for row in training["rows"])
