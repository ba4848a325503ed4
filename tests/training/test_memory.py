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

with kept_memory():
    faults_of_a_step()
    within = faults_of_a_step()
print(within, faults_of_a_step())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is told to keep memory")
def test_memory_that_was_freed_is_not_cleared_again_within_the_block_and_is_given_back_after_it() -> None:
    found = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True)
    within, after = map(int, found.stdout.split())
    assert within < 1000
    assert after > 10_000
