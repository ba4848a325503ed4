import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "evaluation_speed.py"


def test_the_benchmark_compares_ways_that_agree() -> None:
    options = ["--size", "tiny", "--level", "hard", "--repeat", "1", "--json"]
    done = subprocess.run([sys.executable, SCRIPT, *options], check=True, capture_output=True, text=True)
    ours, plain = json.loads(done.stdout)["rows"]
    assert (ours["way"], plain["way"]) == ("ours", "plain")
    assert abs(ours["mAP"] - plain["mAP"]) < 1e-6
    assert min(ours["seconds"], plain["seconds"], ours["peak_mib"]) > 0
