import os
import subprocess
import sys
from pathlib import Path

import pytest

from reidctl.processor import Processor, processor


def test_this_machine_is_told() -> None:
    found = processor()
    assert found.name
    assert 1 <= found.cores <= (os.cpu_count() or 1)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists the instructions of its processor")
def test_features_are_those_that_linux_lists() -> None:
    words = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    assert all((feature in words) == (feature in processor().features) for feature in ("avx2", "avx512f", "amx_bf16"))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux binds a process to some cores")
def test_cores_are_those_that_a_process_may_use() -> None:
    bound = f"import os; os.sched_setaffinity(0, [{min(os.sched_getaffinity(0))}])"
    told = "from reidctl.processor import processor, usable_cores; print(processor().cores, usable_cores())"
    assert subprocess.check_output([sys.executable, "-c", f"{bound}; {told}"], text=True).split() == ["1", "1"]


@pytest.mark.parametrize(
    ("features", "bf16", "int8"),
    [
        (("avx2",), False, False),
        (("avx2", "avx_vnni"), False, True),
        (("avx2", "avx512f", "avx512_vnni"), False, True),
        (("avx512f", "avx512_bf16"), True, False),
        (("amx_tile", "amx_bf16", "amx_int8"), True, True),
    ],
)
def test_what_it_has_instructions_for(features: tuple[str, ...], bf16: bool, int8: bool) -> None:
    found = Processor("one", 2, features)
    assert (found.has_bf16, found.has_int8) == (bf16, int8)
