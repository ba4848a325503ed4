"""How long commands that compute nothing take, as whole processes, beside Python alone and an import of torch.

    python benchmarks/startup.py                 median of 10 runs after a warm-up
    python benchmarks/startup.py --plugins 100   with so many packages of a command, a model and a loss each

The ratio is to `import torch`, which is what a program begins with that imports everything at its top. Runs of all
commands take turns. Memory is the most that the process held.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from side_by_side.results import Column, Report, add_json, run

COMMANDS = (
    ["--help"],
    ["plugins", "list"],
    ["models", "list"],
    ["config", "show", "--preset", "retail-0267"],
)
PLAIN = ("import torch", "pass")
REIDCTL = str(Path(sys.executable).with_name("reidctl"))
COLUMNS = (
    Column("command", "command", width=42),
    Column("median_s", "median s", ".3f"),
    Column("least_s", "least s", ".3f"),
    Column("processor_s", "processor s", ".3f"),
    Column("ratio", "to import torch", ".2f"),
    Column("memory_mib", "memory MiB", ".0f"),
)


def write_plugins(folder: Path, count: int) -> None:
    """The metadata of `count` installed packages; their modules are not there, because a listing imports none."""
    for number in range(count):
        info = folder / f"plugin_{number}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: plugin-{number}\nVersion: 1.0\n")
        parts = ("commands", "models", "losses")
        points = "".join(f"[reidctl.{kind}]\npart-{number} = plugin_{number}:part\n" for kind in parts)
        (info / "entry_points.txt").write_text(f"[reidctl.api]\nversion = v1\n{points}")


def once(command: list[str], plugins: str) -> tuple[float, float, float]:
    """Wall seconds, processor seconds and MiB of one run with the packages in the folder `plugins`."""
    # What is installed has its bytecode; where it must not be written, the first run would leave none to the others.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPATH"] = plugins
    started = perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    _, status, used = os.wait4(process.pid, 0)
    wall = perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def measure(runs: int, plugins: str) -> list[dict[str, Any]]:
    """A row for each command."""
    ours = {" ".join(["reidctl", *arguments]): [REIDCTL, *arguments] for arguments in COMMANDS}
    plain = {f'python -c "{program}"': [sys.executable, "-c", program] for program in PLAIN}
    commands = ours | plain
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in commands}
    for turn in range(runs + 1):
        for name, command in commands.items():
            measured = once(command, plugins)
            if turn:
                found[name].append(measured)
    rows = []
    for name, turns in found.items():
        walls, processors, memories = zip(*turns, strict=True)
        middle = statistics.median(walls)
        row = {"command": name, "median_s": middle, "least_s": min(walls), "memory_mib": max(memories)}
        rows.append({**row, "processor_s": statistics.median(processors)})
    slow = next(row["median_s"] for row in rows if PLAIN[0] in row["command"])
    return [{**row, "ratio": row["median_s"] / slow} for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--plugins", type=int, default=0)
    add_json(parser)
    options = parser.parse_args()
    report = Report(options.json)
    with TemporaryDirectory() as folder:
        write_plugins(Path(folder), options.plugins)
        table = report.table("", *COLUMNS)
        for row in measure(options.runs, folder):
            table.add(row)
    report.finish()


if __name__ == "__main__":
    run(main)
