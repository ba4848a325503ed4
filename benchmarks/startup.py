"""How long commands that compute nothing take, as whole processes: median of several runs after a warm-up.

python benchmarks/startup.py [--runs 10] [--plugins 0] [--json]

--plugins: with so many packages of a command, a model and a loss each beside reidctl.
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
from tempfile import TemporaryDirectory
from time import perf_counter

COMMANDS = (
    ["--help"],
    ["plugins", "list"],
    ["models", "list"],
    ["config", "show", "--preset", "retail-0267"],
)
REIDCTL = str(Path(sys.executable).with_name("reidctl"))


def write_plugins(folder: Path, count: int) -> None:
    """The metadata of `count` installed packages; their modules are not there, because a listing imports none."""
    for number in range(count):
        info = folder / f"plugin_{number}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: plugin-{number}\nVersion: 1.0\n")
        parts = ("commands", "models", "losses")
        points = "".join(f"[reidctl.{kind}]\npart-{number} = plugin_{number}:part\n" for kind in parts)
        (info / "entry_points.txt").write_text(f"[reidctl.api]\nversion = v1\n{points}")


def seconds(command: list[str], plugins: str) -> tuple[float, float]:
    """Wall and processor seconds of one run with the packages in the folder `plugins`."""
    # What is installed has its bytecode; where it must not be written, the first run would leave none to the others.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPATH"] = plugins
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, env=environment)
    wall = perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(runs: int, plugins: str) -> list[dict[str, str | float]]:
    """A row for each command."""
    rows: list[dict[str, str | float]] = []
    for command in (*([REIDCTL, *arguments] for arguments in COMMANDS), [sys.executable, "-c", "pass"]):
        seconds(command, plugins)
        walls, processors = zip(*(seconds(command, plugins) for _ in range(runs)), strict=True)
        rows.append(
            {
                "command": " ".join(["reidctl" if command[0] == REIDCTL else "python", *command[1:]]),
                "median_s": round(statistics.median(walls), 3),
                "least_s": round(min(walls), 3),
                "processor_s": round(statistics.median(processors), 3),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--plugins", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        write_plugins(Path(folder), options.plugins)
        rows = measure(options.runs, folder)
    if options.json:
        print(json.dumps({"rows": rows}, indent=2))
        return
    print(f"{'command':<42} {'median s':>9} {'least s':>9} {'processor s':>12}")
    for row in rows:
        print(f"{row['command']:<42} {row['median_s']:>9} {row['least_s']:>9} {row['processor_s']:>12}")


if __name__ == "__main__":
    main()
