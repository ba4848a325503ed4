"""How long commands that compute nothing take, as whole processes: median of several runs after a warm-up.

python benchmarks/startup.py [--runs 10] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path
from time import perf_counter

COMMANDS = (
    ["--help"],
    ["plugins", "list"],
    ["models", "list"],
    ["config", "show", "--preset", "retail-0267"],
)
REIDCTL = str(Path(sys.executable).with_name("reidctl"))


def seconds(command: list[str]) -> tuple[float, float]:
    """Wall and processor seconds of one run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, env=dict(os.environ))
    wall = perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    for command in (*([REIDCTL, *arguments] for arguments in COMMANDS), [sys.executable, "-c", "pass"]):
        seconds(command)
        walls, processors = zip(*(seconds(command) for _ in range(options.runs)), strict=True)
        name = " ".join(["reidctl" if command[0] == REIDCTL else "python", *command[1:]])
        rows.append(
            {
                "command": name,
                "median_s": round(statistics.median(walls), 3),
                "least_s": round(min(walls), 3),
                "processor_s": round(statistics.median(processors), 3),
            }
        )
    if options.json:
        print(json.dumps({"rows": rows}, indent=2))
        return
    print(f"{'command':<42} {'median s':>9} {'least s':>9} {'processor s':>12}")
    for row in rows:
        print(f"{row['command']:<42} {row['median_s']:>9} {row['least_s']:>9} {row['processor_s']:>12}")


if __name__ == "__main__":
    main()
