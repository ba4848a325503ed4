"""Time and memory of this process and its children, as Linux counts them."""

from __future__ import annotations

import os
from pathlib import Path


def children() -> list[str]:
    own = os.getpid()
    return Path(f"/proc/{own}/task/{own}/children").read_text().split()


def cpu_seconds() -> float:
    """Seconds of processor time so far."""
    ticks = 0
    for process in (str(os.getpid()), *children()):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mib(processes: list[str]) -> float:
    """MiB in use, of what they share with others the due part."""
    lines = (Path(f"/proc/{process}/smaps_rollup").read_text().splitlines() for process in processes)
    return sum(int(line.split()[1]) for found in lines for line in found if line.startswith("Pss:")) / 1024
