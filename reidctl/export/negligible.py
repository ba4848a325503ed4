"""Weights too small to matter, which make a CPU slow."""

from __future__ import annotations

from typing import Any

import numpy as np

from reidctl.runtimes.constants import put_everywhere

NEGLIGIBLE = 1e-12
"""Share of a tensor's largest number below which its numbers are nothing to it: float32 has seven digits."""


def drop_negligible(graph: Any) -> int:
    """Set weights of an OpenVINO graph that are negligible beside their tensor's largest to 0; how many there were.

    Weight decay takes channels that nothing needs down to 1e-31 or less. Sums of their products have no normal float32
    (subnormal numbers), for each of which processors of Intel take over a hundred cycles, in f32 and bf16 alike. Zeros
    cost nothing, and embeddings stay the same to the last digit but one.
    """
    dropped = 0
    for node in graph.get_ops():
        if node.get_type_name() != "Constant" or node.get_element_type().get_type_name() != "f32":
            continue
        values = node.data
        sizes = np.abs(values)
        largest = sizes.max(initial=0, where=np.isfinite(sizes))
        small = (values != 0) & (sizes < NEGLIGIBLE * largest)
        if count := int(small.sum()):
            put_everywhere(node, np.where(small, np.float32(0), values))
            dropped += count
    return dropped
