import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "evaluation.py"


@pytest.mark.slow
def test_the_benchmark_compares_ways_that_agree() -> None:
    options = ["--size", "tiny", "--features", "hard", "--rounds", "1", "--json"]
    done = subprocess.run([sys.executable, SCRIPT, *options], check=True, capture_output=True, text=True)
    [table] = json.loads(done.stdout)["tables"]
    rows = {row["way"]: row for row in table["rows"]}
    assert set(rows["ours"]) == {column["key"] for column in table["columns"]}
    assert list(rows) == ["product", "ours", "plain", "rerank", "dense"]
    assert abs(rows["ours"]["mAP"] - rows["plain"]["mAP"]) < 1e-6
    assert abs(rows["rerank"]["mAP"] - rows["dense"]["mAP"]) < 1e-6
    assert rows["rerank"]["mAP"] != rows["ours"]["mAP"]
    assert all(min(row["seconds"], row["cpu_seconds"], row["peak_mib"]) > 0 for row in rows.values())
    assert rows["rerank"]["speedup"] == rows["dense"]["seconds"] / rows["rerank"]["seconds"]
    assert rows["ours"]["of_product"] == rows["ours"]["seconds"] / rows["product"]["seconds"]
