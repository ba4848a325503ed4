from __future__ import annotations

import platform
import resource

import pytest
import torch

from reidctl.training.memory import kept_memory


def faults_of_a_step() -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(64 << 20, dtype=torch.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is told to keep memory")
def test_memory_that_was_freed_is_not_cleared_again_within_the_block_and_is_given_back_after_it() -> None:
    with kept_memory():
        faults_of_a_step()
        assert faults_of_a_step() < 1000
    assert faults_of_a_step() > 10_000
