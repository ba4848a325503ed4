"""What the processor of this machine is, and which instructions for networks it has."""

from __future__ import annotations

import os
import platform
import sys
from typing import NamedTuple

FEATURES = (
    "avx2",
    "avx_vnni",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_tile",
    "amx_bf16",
    "amx_int8",
    "amx_fp16",
)
BF16 = frozenset({"avx512_bf16", "amx_bf16"})
INT8 = frozenset({"avx_vnni", "avx512_vnni", "amx_int8"})
"""Instructions that multiply 8-bit numbers and sum them up in one step."""


class Processor(NamedTuple):
    """name: in its maker's words; cores: logical ones that this process may use.

    features: those of FEATURES it has, none where nobody tells.
    """

    name: str
    cores: int
    features: tuple[str, ...]

    @property
    def has_bf16(self) -> bool:
        """Whether it computes in bf16 itself; otherwise bf16 is imitated by f32, and slower than that."""
        return not BF16.isdisjoint(self.features)

    @property
    def has_int8(self) -> bool:
        """Whether it has instructions made for INT8; without them INT8 gains less."""
        return not INT8.isdisjoint(self.features)


def processor() -> Processor:
    """The processor of this machine; its features are known on Linux alone."""
    name, flags = platform.processor() or platform.machine(), set[str]()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                key, _, value = line.partition(":")
                if key.strip() == "model name":
                    name = value.strip()
                elif key.strip() == "flags":
                    flags = set(value.split())
                    break
    except OSError:
        pass  # Only Linux lists the flags there.
    return Processor(name, usable_cores(), tuple(flag for flag in FEATURES if flag in flags))


def usable_cores() -> int:
    """How many logical cores this process may use, 1 where nobody tells."""
    # Only Linux lets a process be bound to some of them (taskset, containers).
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
