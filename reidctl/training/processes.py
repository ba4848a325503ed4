"""The processes that train one network together, each on its share of every batch.

Every process computes the losses of the whole batch, from embeddings that are gathered, and what is averaged over the
processes afterwards is the gradient of one process with that batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import Parameter

from reidctl.data.draws import derived_seed
from reidctl.devices import resolve_device
from reidctl.errors import ConfigError, ReidError
from reidctl.training.device import lacks_memory, seed_step

if TYPE_CHECKING:
    from reidctl.types import Float32

Item = TypeVar("Item")
CPU = torch.device("cpu")


class LostError(ReidError):
    """Another process of the run is gone."""


@dataclass(frozen=True)
class Processes:
    """The processes of a run: this one's rank 0…size-1, and its number on this machine, which is that of its GPU.

    local_size: how many of them are on this machine.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    def share(self, count: int, name: str, multiple: int = 1) -> int:
        """This process's part of `count`; ConfigError where the parts are not equal multiples of `multiple`."""
        if count % (self.size * multiple):
            each = f" in groups of {multiple}" if multiple > 1 else ""
            near = max(1, count // (self.size * multiple)) * self.size * multiple
            raise ConfigError(
                f"{name}: {count} are not divided evenly over {self.size} processes{each}", f"take {near}"
            )
        return count // self.size

    def device(self, name: str) -> torch.device:
        """What `resolve_device` makes of `name`; of several processes each has a GPU of its own.

        ConfigError where there are not as many, or where `name` is one GPU's.
        """
        found = resolve_device(name)
        if self.size == 1 or found.type == "cpu":
            return found
        if found.index is not None:
            raise ConfigError(f"device: '{name}' is one GPU for {self.size} processes", "auto gives each its own")
        count = torch.cuda.device_count()
        if self.local_rank >= count:
            raise ConfigError(
                f"device: torch sees {count} GPUs here, fewer than there are processes",
                f"give torchrun --nproc-per-node {count}, or set device to cpu",
            )
        return torch.device("cuda", self.local_rank)

    def gather(self, rows: Tensor) -> Tensor:
        """[B, …] of each process -> [size · B, …], in order of rank; differentiable.

        The gradient that goes back is `size` times that of the own rows, so that the mean of the processes' gradients
        is the gradient of a loss that each of them computed alike.
        """
        if self.size == 1:
            return rows
        gathered: Tensor = _Gather.apply(rows, self.rank, self.size)
        return gathered

    @torch.no_grad()
    def average(self, values: Sequence[Tensor]) -> None:
        """Make each tensor the mean over the processes, bit for bit the same on all; they agree in number and shape."""
        if self.size == 1:
            return
        for dtype in dict.fromkeys(value.dtype for value in values):
            alike = [value for value in values if value.dtype == dtype]
            flat = torch.cat([value.reshape(-1) for value in alike])
            with connected():
                dist.all_reduce(flat)
            flat /= self.size
            pieces = torch.split_with_sizes(flat, [value.numel() for value in alike])
            torch._foreach_copy_(alike, [piece.view(v.shape) for piece, v in zip(pieces, alike, strict=True)])

    def average_step(self, parameters: Iterable[Parameter], buffers: Iterable[Tensor]) -> None:
        """Average the gradients, and what the networks keep of the images they saw: then all are again the same."""
        if self.size == 1:
            return
        learning = [parameter for parameter in parameters if parameter.requires_grad]
        idle = [parameter for parameter in learning if parameter.grad is None]
        for parameter in idle:
            parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in learning if parameter.grad is not None]
        self.average([*gradients, *(buffer for buffer in buffers if buffer.is_floating_point())])
        for parameter in idle:
            # Without a gradient in any process an optimizer leaves it alone, as it would on one.
            if parameter.grad is not None and not parameter.grad.any():
                parameter.grad = None

    def any(self, *flags: bool) -> list[bool]:
        """Of each flag, whether it is set in any process."""
        if self.size == 1:
            return list(flags)
        found = torch.tensor(flags, dtype=torch.uint8)
        with connected():
            dist.all_reduce(found, dist.ReduceOp.MAX)
        return [bool(flag) for flag in found]

    def on_first(self, do: Callable[[], Item]) -> Item:
        """What `do` gives on the first process, the only one to call it, on every process; so with its errors."""
        if self.size == 1:
            return do()
        answer: list[Any] = [None, None]
        if self.first:
            try:
                answer[0] = do()
            except ReidError as error:
                answer[1] = error
        with connected():
            dist.broadcast_object_list(answer, device=CPU)
        if answer[1] is not None:
            raise answer[1]
        result: Item = answer[0]
        return result

    def part(self, count: int, batch: int) -> slice:
        """Which of `count` items are this process's: whole batches, so that each is the same batch on any number."""
        batches = -(-count // batch)
        each = -(-batches // self.size) * batch
        return slice(min(self.rank * each, count), min((self.rank + 1) * each, count))

    def joined(self, rows: Float32, count: int, batch: int) -> Float32:
        """The rows [N, D] of all `count` items, of which each process has those of its `part`."""
        if self.size == 1:
            return rows
        longest = Processes(0, self.size).part(count, batch).stop
        padded = torch.zeros(longest, rows.shape[1])
        padded[: len(rows)] = torch.from_numpy(rows)
        parts = self.gather(padded).numpy().reshape(self.size, longest, rows.shape[1])
        sizes = [Processes(rank, self.size).part(count, batch) for rank in range(self.size)]
        return np.concatenate([part[: of.stop - of.start] for part, of in zip(parts, sizes, strict=True)])

    @contextmanager
    def own_draws(self) -> Iterator[None]:
        """Within the block each process draws its own random numbers; before and after it all draw the same."""
        if self.size == 1:
            yield
            return
        seed = int(torch.randint(2**31, ()))
        seed_step(derived_seed(seed, self.rank))
        yield
        seed_step(seed)


ALONE = Processes()


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, rank: int, size: int) -> Tensor:
        ctx.rank, ctx.size = rank, size
        rows = rows.contiguous()
        gathered = [torch.empty_like(rows) for _ in range(size)]
        with connected():
            dist.all_gather(gathered, rows)
        return torch.cat(gathered)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return gradient.chunk(ctx.size)[ctx.rank] * ctx.size, None, None


@contextmanager
def connected() -> Iterator[None]:
    """Say what it means when a process does not answer."""
    try:
        yield
    except RuntimeError as error:
        if lacks_memory(error):
            raise
        raise LostError(
            "another process of the run has ended without a word, or does not answer",
            "the system may have killed it for lack of memory; --resume goes on from the last epoch",
        ) from error
