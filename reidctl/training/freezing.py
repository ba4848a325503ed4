"""The two-stage start: at first only some layers learn."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from torch import nn

from reidctl.errors import ConfigError, suggestion


def require_layers(model: nn.Module, layers: Collection[str], key: str = "train.open_layers") -> None:
    """Raise ConfigError, which names `key`, unless every name is a top-level child of `model`."""
    known = [name for name, _ in model.named_children()]
    for name in layers:
        if name not in known:
            hint = suggestion(name, known, f"it has: {', '.join(known)}")
            raise ConfigError(f"{key}: the model has no layer '{name}'", hint)


@contextmanager
def only_open(model: nn.Module, layers: Collection[str]) -> Iterator[None]:
    """Within the block only the top-level children in `layers` learn.

    The others are frozen and in eval mode: their normalisation uses the running statistics and leaves them alone.
    """
    children = dict(model.named_children())
    learning = {id(parameter) for name in layers for parameter in children[name].parameters()}
    frozen = [p for p in model.parameters() if p.requires_grad and id(p) not in learning]
    for name, child in children.items():
        child.train(name in layers)
    for parameter in frozen:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(True)
        model.train()
