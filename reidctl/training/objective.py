"""The losses of a run, each called with what it asks for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from reidctl.config.schema import LossSpec
from reidctl.errors import ConfigError, PluginError
from reidctl.registry import losses
from reidctl.training.blame import blamed
from reidctl.training.mixing import shared
from reidctl.types import Mixed
from reidctl.validation import given_names

OF_THE_RUN = ("epoch", "indices", "model")
OF_OTHERS = {"teacher": "train.teacher", "peers": "train.mutual", "peer_logits": "train.mutual"}
"""What comes from other networks, and the key that names them."""
OF_A_CLASSIFIER = ("cosines", "logits")


class Objective(nn.ModuleList):
    """The losses that a configuration lists, as modules 0, 1, …

    Built, a loss may ask right of the `*` for embedding_dim, num_classes and class_counts ([C] int64, the training
    images of each identity). Called with embeddings and labels, it may ask for
    epoch: epochs since the start, 2.5 in the middle of the third;
    model: the network; indices [B] int64: the training image that each row shows;
    teacher [B, T]: the embeddings of the teacher, whose length the constructor may ask for as teacher_dim;
    peers, peer_logits: the embeddings [B, Dₖ] and logits [B, C] of each of the other networks that are trained;
    logits, cosines [B, C]: what the methods of these names of the first loss that has one make of the embeddings. Only
    logits are differentiated.
    ConfigError where no loss has such a method, where there is no such network, or where there is one and no loss asks
    for what it says (others: the keys that name any); PluginError where one asks for anything else.
    """

    def __init__(
        self,
        specs: Sequence[LossSpec],
        *,
        embedding_dim: int,
        class_counts: Tensor,
        teacher_dim: int | None = None,
        others: Collection[str] = (),
    ) -> None:
        given = {
            "embedding_dim": embedding_dim,
            "num_classes": len(class_counts),
            "class_counts": class_counts,
            "teacher_dim": teacher_dim,
        }
        super().__init__(losses.build(spec, at=f"losses.{index}", **given) for index, spec in enumerate(specs))
        self._names = [spec.name for spec in specs]
        self._asked = [given_names(loss.forward) for loss in self]
        self._wanted = {name for asked in self._asked for name in asked}
        self._methods = {name: self._first_method(name) for name in OF_A_CLASSIFIER}
        for index, (spec, asked) in enumerate(zip(specs, self._asked, strict=True)):
            self._require(f"losses.{index}", spec.name, asked, others)
        for key in others:
            if not any(OF_OTHERS.get(what) == key for asked in self._asked for what in asked):
                prefix = "distill" if key == "train.teacher" else "mutual"
                raise ConfigError(f"{key}: no loss learns from it", f"list one of the {prefix}_… losses")

    def forward(
        self,
        embeddings: Tensor,
        labels: Tensor,
        mixed: Mixed,
        *,
        epoch: float,
        model: nn.Module,
        indices: Sequence[int],
        **from_others: Any,
    ) -> Tensor:
        """Each loss [n] of embeddings [B, D] and labels [B], unweighted."""
        given: dict[str, Any] = {"epoch": epoch, "model": model, **from_others}
        if "indices" in self._wanted:
            given["indices"] = torch.tensor(indices).to(labels.device, non_blocking=True)
        for name in OF_A_CLASSIFIER:
            method = self._methods[name]
            if name in self._wanted and method is not None:
                with torch.set_grad_enabled(name == "logits" and torch.is_grad_enabled()):
                    given[name] = method(embeddings, given)
        values = []
        for name, loss, asked in zip(self._names, self, self._asked, strict=True):
            with blamed(losses, name):
                value = shared(partial(loss, **_picked(given, asked)), embeddings, labels, mixed)
            if value.ndim:
                raise losses.find(name).fault(f"gives values of shape {tuple(value.shape)}, not a scalar")
            values.append(value)
        return torch.stack(values)

    @torch.no_grad()
    def logits(self, embeddings: Tensor, *, epoch: float) -> Tensor | None:
        """The logits [B, C] of the first loss that has any, as peers are given them; None where none has."""
        method = self._methods["logits"]
        return None if method is None else method(embeddings, {"epoch": epoch})

    @torch.no_grad()
    def top1(self, embeddings: Tensor, labels: Tensor, *, epoch: float) -> Tensor:
        """The share of rows whose largest logit is that of their label; nan where no loss classifies."""
        logits = self.logits(embeddings, epoch=epoch)
        if logits is None:
            return embeddings.new_full((), torch.nan)
        return (logits.argmax(dim=1) == labels).float().mean()

    def _first_method(self, name: str) -> Callable[[Tensor, Mapping[str, Any]], Tensor] | None:
        """(embeddings, given) -> what the first method of that name makes of the embeddings and what it asks for."""
        for own, loss in zip(self._names, self, strict=True):
            method = getattr(loss, name, None)
            if callable(method):
                return partial(_call, own, method, given_names(method))
        return None

    def _require(self, at: str, name: str, asked: Mapping[str, bool], others: Collection[str]) -> None:
        for what, needed in asked.items():
            if needed and what not in (*OF_THE_RUN, *OF_A_CLASSIFIER, *OF_OTHERS):
                known = ", ".join(sorted((*OF_THE_RUN, *OF_A_CLASSIFIER, *OF_OTHERS)))
                raise PluginError(
                    f"loss '{name}' asks for '{what}', which no loss is given when it is called", f"known are {known}"
                )
            if needed and what in OF_OTHERS and OF_OTHERS[what] not in others:
                raise ConfigError(f"{at}: '{name}' needs {OF_OTHERS[what]}, which is not set")
            # Peers have the same losses, and give logits where these do.
            method = "logits" if what == "peer_logits" else what
            if needed and method in OF_A_CLASSIFIER and self._methods[method] is None:
                raise ConfigError(
                    f"{at}: '{name}' needs the {method} of a loss that classifies, and none is listed",
                    "list one beside it, such as am_softmax",
                )


def _call(
    loss: str, method: Callable[..., Tensor], asked: Mapping[str, bool], embeddings: Tensor, given: Mapping[str, Any]
) -> Tensor:
    with blamed(losses, loss):
        return method(embeddings, **_picked(given, asked))


def _picked(given: Mapping[str, Any], names: Mapping[str, bool]) -> dict[str, Any]:
    return {name: given[name] for name in names if name in given}
