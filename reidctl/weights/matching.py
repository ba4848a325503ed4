"""Which tensor of a file is which weight of a network: by name, never by shape alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reidctl.errors import InputError

WRAPPERS = ("module.", "_orig_mod.", "model.", "backbone.", "network.", "net.")
"""What stands before the names of a network that was saved inside another module: DataParallel, a compiled one …"""

CLASSIFIER = "classifier"
"""The top-level child that holds class weights in published re-identification networks; here they belong to a loss."""

COUNTER = "num_batches_tracked"
"""Of batch norms; nothing that a network computes depends on it, and old files do without."""

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Weights:
    """What a file holds: kind says in words what it is, tensors are under the file's own names, on the CPU.

    operators: types of the operators in the graph of an ONNX file.
    """

    path: Path
    kind: str
    tensors: dict[str, Tensor]
    operators: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Item:
    """One tensor of a report. expected: that it was not loaded takes nothing from the network, for the reason given."""

    name: str
    shape: tuple[int, ...]
    reason: str = ""
    expected: bool = False

    def __str__(self) -> str:
        return f"{self.name} {list(self.shape)}" + (f": {self.reason}" if self.reason else "")


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a file's tensors.

    loaded, missing: by the network's names; skipped: by the file's, with the reason. A weight whose shape is another
    one in the file is both skipped and missing. remark: what else tells the network from the file's, empty for nothing.
    """

    source: str
    kind: str
    loaded: tuple[Item, ...]
    skipped: tuple[Item, ...]
    missing: tuple[Item, ...]
    remark: str = ""

    @property
    def complete(self) -> bool:
        """Whether the network is the file's: nothing is left over on either side but what is expected to be."""
        return all(item.expected for item in (*self.skipped, *self.missing))

    @property
    def summary(self) -> str:
        """File, kind and counts, in one line."""
        counts = f"{len(self.loaded)} loaded, {len(self.skipped)} skipped, {len(self.missing)} missing"
        return f"weights from {self.source} ({self.kind}): {counts}"

    def lines(self, *, loaded: bool = True, most: int | None = None) -> Iterator[str]:
        """Summary, remark, then a line per tensor: skipped, missing, if wanted loaded; of each at most so many."""
        yield self.summary
        if self.remark:
            yield self.remark
        kinds = {"skipped": self.skipped, "missing": self.missing, "loaded": self.loaded if loaded else ()}
        for word, items in kinds.items():
            shown = items if most is None else items[:most]
            yield from (f"{word} {item}" for item in shown)
            if len(shown) < len(items):
                yield f"{word} and {len(items) - len(shown)} more"

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {
            "source": self.source,
            "kind": self.kind,
            "complete": self.complete,
            "remark": self.remark,
            "loaded": [{"name": item.name, "shape": list(item.shape)} for item in self.loaded],
            "skipped": [_left_out(item) for item in self.skipped],
            "missing": [_left_out(item) for item in self.missing],
        }


@dataclass(frozen=True, slots=True)
class Match:
    """state: what fits, under the network's names, in its types; report: what became of the rest."""

    state: dict[str, Tensor]
    report: Report


def match(own: Tensors, weights: Weights) -> Match:
    """The tensors of `weights` that the network with the state dict `own` takes, each under its own name.

    A name fits as it is, or without the prefixes in WRAPPERS; the shape must be the same, and the numbers of the same
    nature (any floating point type for another). Raises InputError when two tensors stand for one weight, or when one
    that fits is not finite.
    """
    named, skipped = _named(own, weights)
    state: dict[str, Tensor] = {}
    for name, source in named.items():
        reason = _misfit(own[name], weights.tensors[source])
        if reason:
            skipped[source] = _skipped(source, weights.tensors[source], reason)
        else:
            state[name] = weights.tensors[source].detach().to(own[name].dtype)
    broken = [name for name, value in state.items() if not torch.isfinite(value).all()]
    if broken:
        raise InputError(
            f"{weights.path}: {len(broken)} of its tensors hold NaN or infinity, the first is {broken[0]}",
            "the training that wrote it diverged; take an earlier checkpoint",
        )
    loaded = tuple(Item(name, tuple(value.shape)) for name, value in state.items())
    missing = tuple(_missing(name, value) for name, value in own.items() if name not in state)
    left_out = tuple(skipped[source] for source in weights.tensors if source in skipped)
    return Match(state, Report(str(weights.path), weights.kind, loaded, left_out, missing))


def _named(own: Tensors, weights: Weights) -> tuple[dict[str, str], dict[str, Item]]:
    """The network's name -> the file's, and by the file's name what has none in the network."""
    named: dict[str, str] = {}
    skipped = {}
    for source, value in weights.tensors.items():
        name = _bare(source, own)
        if name in named:
            raise InputError(
                f"{weights.path}: both {named[name]} and {source} stand for {name}",
                "it holds two networks: save the wanted one alone",
            )
        if name in own:
            named[name] = source
        elif name.partition(".")[0] == CLASSIFIER:
            skipped[source] = _skipped(source, value, "class weights, which here belong to a loss", expected=True)
        else:
            skipped[source] = _skipped(source, value, "the network has no tensor of this name")
    return named, skipped


def _bare(name: str, own: Tensors) -> str:
    while name not in own:
        prefix = next((prefix for prefix in WRAPPERS if name.startswith(prefix)), None)
        if prefix is None:
            return name
        name = name.removeprefix(prefix)
    return name


def _misfit(own: Tensor, found: Tensor) -> str | None:
    """Why a tensor of the right name cannot be taken; looks at no number, since a shape may be a lie about its size."""
    if found.shape != own.shape:
        return f"the network's is {list(own.shape)}"
    if found.layout != torch.strided or found.device.type != "cpu":
        return "it holds no plain numbers"
    nature = own.is_floating_point(), own.is_complex(), own.dtype == torch.bool
    if (found.is_floating_point(), found.is_complex(), found.dtype == torch.bool) != nature:
        return f"its numbers are {_type(found)}, the network's {_type(own)}"
    return None


def _missing(name: str, value: Tensor) -> Item:
    if name.rpartition(".")[2] == COUNTER:
        return Item(name, tuple(value.shape), "a counter that nothing depends on", expected=True)
    return Item(name, tuple(value.shape))


def _skipped(name: str, value: Tensor, reason: str, *, expected: bool = False) -> Item:
    return Item(name, tuple(value.shape), reason, expected)


def _type(value: Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")


def _left_out(item: Item) -> dict[str, Any]:
    return {"name": item.name, "shape": list(item.shape), "reason": item.reason, "expected": item.expected}
