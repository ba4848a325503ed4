"""The losses of pytorch-metric-learning as `pml/<Class>`.

The library is imported when a member is asked for or the members are listed, not with this module.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn

from reidctl.errors import ConfigError, UnknownName
from reidctl.types import Spec
from reidctl_metric_learning.loss import ClassifyingLoss, MetricLearningLoss
from reidctl_metric_learning.signatures import GIVEN, choice, library_parameters, typed
from reidctl_metric_learning.suited import UNSUITED, WITHOUT_MINER, offered

SHARED = """https://kevinmusgrave.github.io/pytorch-metric-learning/losses/#{anchor} says what it computes and what its
parameters mean. Embeddings [B, D], labels [B] -> scalar. A miner chooses the pairs or triplets of a batch that count, a
distance takes the place of the loss's own: {{name: …, parameters}}, or the name alone. Class weights are the loss's own
and are trained with the network."""


class LibraryLoss:
    """Builds one loss; its signature is what the class of the library takes."""

    def __init__(self, target: type[nn.Module], miners: Mapping[str, type], distances: Mapping[str, type]) -> None:
        name = target.__name__
        self.__name__ = self.__qualname__ = f"pml/{name}"
        self.__doc__ = f"pytorch-metric-learning's {name}.\n\n{SHARED.format(anchor=name.lower())}"
        self._target, self._parts = target, {"miner": miners, "distance": distances}
        self._given = {own: given for own, given in GIVEN.items() if own in library_parameters(target)}
        self.__signature__ = self._signature()

    def __repr__(self) -> str:
        return f"<loss {self.__name__}>"

    def _signature(self) -> inspect.Signature:
        fields = typed(self._target)
        if self._target.__name__ not in WITHOUT_MINER:
            chosen = choice("miner", self._parts["miner"], "chooses the pairs or triplets that count; null for all")
            fields["miner"] = (chosen, None)
        compared = choice("distance", self._parts["distance"], "compares embeddings; null for the loss's own")
        fields["distance"] = (compared, None)
        # Python has parameters without a default first.
        ordered = sorted(fields.items(), key=lambda field: field[1][1] is not ...)
        parameters = [
            inspect.Parameter(
                name,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                annotation=annotation,
                default=inspect.Parameter.empty if default is ... else default,
            )
            for name, (annotation, default) in ordered
        ]
        only = inspect.Parameter.KEYWORD_ONLY
        given = [inspect.Parameter(name, only, annotation=int) for name in self._given.values()]
        return inspect.Signature([*parameters, *given], return_annotation=MetricLearningLoss)

    def __call__(self, **values: Any) -> MetricLearningLoss:
        miner, distance = self._part("miner", values), self._part("distance", values)
        for own, given in self._given.items():
            values[own] = values.pop(given)
        loss = self._made(self._target, values if distance is None else {**values, "distance": distance})
        classified = values.get("num_classes")
        kind = ClassifyingLoss if callable(getattr(loss, "get_logits", None)) else MetricLearningLoss
        return kind(loss, miner, classified)

    def _part(self, key: str, values: dict[str, Any]) -> nn.Module | None:
        spec: Spec | None = values.pop(key, None)
        return None if spec is None else self._made(self._parts[key][spec.name], spec.parameters)

    def _made(self, target: type, values: Mapping[str, Any]) -> nn.Module:
        try:
            made: nn.Module = target(**values)
        except (AssertionError, ValueError) as error:
            reason = " ".join(str(error).split()) or "the library gives no reason"
            raise ConfigError(f"{self.__name__}: {target.__name__} refuses its parameters: {reason}") from error
        return made


class LossFamily:
    """The losses of pytorch-metric-learning by the names of their classes; those that suit."""

    def names(self) -> list[str]:
        """Every class that is suited."""
        from pytorch_metric_learning import losses

        return list(offered(losses))

    def __call__(self, member: str) -> LibraryLoss:
        from pytorch_metric_learning import distances, losses, miners

        if member in UNSUITED:
            raise UnknownName(
                f"pytorch-metric-learning's {member} is not offered: {UNSUITED[member]}",
                "`reidctl losses list --family pml` names those that are",
            )
        return LibraryLoss(offered(losses)[member], offered(miners), offered(distances))


pml_losses = LossFamily()
