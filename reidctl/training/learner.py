"""Networks that learn side by side, each with losses of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from reidctl.config.schema import RunConfig
from reidctl.training.checkpoint import embedding_dim
from reidctl.training.compiling import Forward
from reidctl.training.objective import Objective


@dataclass(frozen=True)
class Learner:
    """A network, the losses that teach it, and what a step calls for its embeddings."""

    model: nn.Module
    losses: Objective
    forward: Forward


def peer_configs(config: RunConfig) -> list[RunConfig]:
    """The configuration of each network of `train.mutual`, as that of a run of its own: its checkpoint opens as it."""
    return [config.model_copy(update={"model": spec, "preset": None}) for spec in config.train.mutual]


def build_objective(
    config: RunConfig, model: nn.Module, class_counts: Tensor, teacher_dim: int | None = None
) -> Objective:
    """Fresh losses for `model`."""
    named = {"train.teacher": config.train.teacher, "train.mutual": config.train.mutual}
    return Objective(
        config.losses,
        embedding_dim=embedding_dim(model),
        class_counts=class_counts,
        teacher_dim=teacher_dim,
        others=[key for key, value in named.items() if value],
    )


def exchange(learners: Sequence[Learner], embeddings: Sequence[Tensor], epoch: float) -> list[dict[str, Any]]:
    """What the losses of each learner are given of the others: `peers` and `peer_logits`, without gradient."""
    if len(learners) == 1:
        return [{}]
    logits = [learner.losses.logits(rows, epoch=epoch) for learner, rows in zip(learners, embeddings, strict=True)]
    given = []
    for own in range(len(learners)):
        others = [other for other in range(len(learners)) if other != own]
        given.append({"peers": [embeddings[k].detach() for k in others], "peer_logits": [logits[k] for k in others]})
    return given
