from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# In a process of its own, whose heap has no holes of other tests that decide where memory comes from.
PROGRAM = """
import resource, torch
from reidctl.training.memory import kept_memory

def faults_of_a_step():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(64 << 20, dtype=torch.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident_pages():
    return int(open("/proc/self/statm").read().split()[1])

with kept_memory():
    faults = sum(faults_of_a_step() for _ in range(20))
    held = resident_pages()
print(faults, held - resident_pages())
"""
PAGES = (64 << 20) // 4096


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is told to keep memory")
def test_freed_memory_is_used_again_uncleared_within_the_block_and_given_back_after_it() -> None:
    found = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True)
    cleared, given_back = map(int, found.stdout.split())
    # How often a tensor is cleared until the heap has settled depends on its holes; without the block it is 20 times.
    assert cleared < 10 * PAGES
    assert given_back > 0.9 * PAGES
