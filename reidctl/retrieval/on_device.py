"""Distances that are computed, counted and searched on another device; only small results leave it.

The counterpart of the numpy code for GPUs, in PyTorch and so for any device of it. On a CPU numpy is faster
(its BLAS, and no pass over a block that is not needed), which is why that code stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch

from reidctl.retrieval.distance import GalleryDistances

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from numpy.typing import DTypeLike
    from torch import Tensor

    from reidctl.retrieval.sparse import JaccardDistances
    from reidctl.types import Float32, Int64

# Pairs of weights that are compared at a time: half a gigabyte of indices.
OVERLAP_ENTRIES = 2**24


class DeviceBlock:
    """Distances [b, G] float32 that stay on a device; what is picked, counted or searched comes back as arrays.

    `np.asarray` brings all of them here.
    """

    def __init__(self, values: Tensor) -> None:
        self.values = values
        self.shape = tuple(values.shape)

    def __len__(self) -> int:
        return len(self.values)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Float32:
        return np.array(self.values.cpu().numpy(), dtype, copy=copy)

    def __getitem__(self, where: tuple[Int64, Int64]) -> Float32:
        """The distances at (rows, columns)."""
        found: Float32 = _array(self.values[self._there(where[0]), self._there(where[1])])
        return found

    def __setitem__(self, where: tuple[Int64, Int64], value: float) -> None:
        self.values[self._there(where[0]), self._there(where[1])] = value

    def maxima(self) -> Float32:
        """[b] the largest of each row."""
        found: Float32 = _array(self.values.amax(dim=1))
        return found

    def count_within(self, thresholds: Float32) -> Int64:
        """How many numbers of row i are at most thresholds[i, j], as [b, P] int64."""
        columns = self._there(thresholds).T[:, :, None]
        counts = [(self.values <= column).sum(dim=1) for column in columns]
        found: Int64 = _array(torch.stack(counts, dim=1)) if counts else np.zeros(thresholds.shape, np.int64)
        return found

    def nearest(self, k: int) -> tuple[Int64, Float32]:
        """Positions and values of the k smallest of each row (all, if there are fewer), ascending; ties by position."""
        k = min(k, self.shape[1])
        bounds = self.values.topk(k, dim=1, largest=False).values[:, -1:]
        rows, columns = (self.values <= bounds).nonzero(as_tuple=True)
        # Adding 0 makes one zero of both: a radix sort may tell -0 from 0.
        found = self.values[rows, columns] + 0
        order = found.argsort(stable=True)
        order = order[rows[order].argsort(stable=True)]
        firsts = torch.searchsorted(rows, torch.arange(len(self), device=rows.device))
        picked = order[firsts[:, None] + torch.arange(k, device=rows.device)]
        return _array(columns[picked]), _array(found[picked])

    def _there(self, array: Any) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.values.device)


Block: TypeAlias = "Float32 | DeviceBlock"


def device_blocks(distances: GalleryDistances, queries: Float32, place: torch.device) -> Iterator[DeviceBlock]:
    """What `distances.blocks(queries)` gives, multiplied on a device in full float32 (no TF32)."""
    columns = torch.from_numpy(distances.columns).to(place)
    later, earlier = (torch.from_numpy(images).to(place) for images in distances.twins)
    block: Tensor | None = None
    for count, factor in distances.factors(queries):
        rows = torch.from_numpy(factor).to(place)
        block = columns.new_empty((len(rows), columns.shape[1])) if block is None else block
        with _full_precision():
            torch.mm(rows, columns, out=block)
        block[:, later] = block[:, earlier]
        yield DeviceBlock(block[:count, : distances.size])


class DeviceJaccard:
    """`JaccardDistances` on a device."""

    def __init__(self, jaccard: JaccardDistances, place: torch.device) -> None:
        self._encoding = jaccard.encoding
        lengths = np.diff(jaccard.index.starts)[self._encoding.columns]
        self._pairs_before = np.concatenate([[0], np.cumsum(lengths)])[self._encoding.starts]
        self._starts, self._images, self._weights = (
            torch.from_numpy(array).to(place)
            for array in (jaccard.index.starts, jaccard.index.images, jaccard.index.weights)
        )

    def mix(self, block: Block, start: int, scale: Float32, share: float, _: Executor) -> None:
        """As that of `JaccardDistances`."""
        assert isinstance(block, DeviceBlock)
        values = block.values
        values.square_().mul_(torch.from_numpy(scale).to(values.device))
        for first, last in self._groups(start, start + len(block)):
            overlap = self._overlaps(first, last, block.shape[1])
            values[first - start : last - start] += share * (1 - overlap / (2 - overlap))

    def _groups(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Consecutive queries whose pairs of weights fit in memory together; a query that has too many is alone."""
        entries = self._pairs_before[start : stop + 1]
        group = (entries[1:] - entries[0]) // OVERLAP_ENTRIES
        firsts = start + np.flatnonzero(np.diff(group, prepend=-1))
        return list(zip(firsts, [*firsts[1:], stop], strict=True))

    def _overlaps(self, first: int, last: int, images: int) -> Tensor:
        """Of queries first…last, [b, G] float32; summed in float64, as numpy does, so that no order matters."""
        place = self._starts.device
        bounds = self._encoding.starts[first : last + 1]
        entries = slice(bounds[0], bounds[-1])
        columns = torch.from_numpy(self._encoding.columns[entries]).to(place)
        weights = torch.from_numpy(self._encoding.weights[entries]).to(place)
        rows = torch.arange(last - first, device=place).repeat_interleave(torch.from_numpy(np.diff(bounds)).to(place))
        lengths = self._starts[columns + 1] - self._starts[columns]
        which = torch.arange(len(columns), device=place).repeat_interleave(lengths)
        ends = lengths.cumsum(0)
        found = torch.arange(len(which), device=place) + (self._starts[columns] - ends + lengths)[which]
        smaller = torch.minimum(weights[which], self._weights[found]).double()
        overlap = smaller.new_zeros((last - first) * images)
        overlap.index_add_(0, rows[which] * images + self._images[found], smaller)
        return overlap.view(-1, images).float()


@contextmanager
def _full_precision() -> Iterator[None]:
    before = torch.backends.cuda.matmul.fp32_precision
    torch.backends.cuda.matmul.fp32_precision = "ieee"
    try:
        yield
    finally:
        torch.backends.cuda.matmul.fp32_precision = before


def _array(tensor: Tensor) -> Any:
    return tensor.cpu().numpy()
