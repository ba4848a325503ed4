"""Array pieces that counting, searching and re-ranking share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from reidctl.processor import usable_cores

if TYPE_CHECKING:
    from reidctl.types import Float32, Int64

# One byte for every distance of a group of rows: large enough that threads seldom ask for the interpreter, small
# enough that the group's mask stays in cache.
GROUP_BYTES = 2**21


def thread_pool() -> ThreadPoolExecutor:
    """One thread a core: numpy's long passes release the interpreter, so groups of rows run side by side."""
    return ThreadPoolExecutor(usable_cores())


def row_groups(block: Float32) -> list[slice]:
    """Consecutive rows of block [b, G] that are best worked on together."""
    rows = max(1, GROUP_BYTES // max(block.shape[1], 1))
    return [slice(start, min(start + rows, len(block))) for start in range(0, len(block), rows)]


def sort_keys(rows: Int64, values: Float32) -> Int64:
    """Integers that order by row, then by value: row in the upper half, the float's bits made monotonic below."""
    bits = (values + np.float32(0)).view(np.int32).astype(np.int64)
    return (rows << 32) + (bits ^ ((bits >> 63) & 0x7FFFFFFF)) + 2**31


def key_values(keys: Int64) -> Float32:
    """The values that `sort_keys` packed."""
    bits = (keys & 0xFFFFFFFF) - 2**31
    return (bits ^ ((bits >> 63) & 0x7FFFFFFF)).astype(np.int32).view(np.float32)


def ragged(starts: Int64, lengths: Int64) -> Int64:
    """starts[0], starts[0] + 1, … (lengths[0] of them), then the same from starts[1], …, as one flat array."""
    ends = np.cumsum(lengths)
    return np.arange(lengths.sum()) + np.repeat(starts - ends + lengths, lengths)
