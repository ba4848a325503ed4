"""The passes of a network as CUDA graphs: recorded once, then launched whole instead of kernel by kernel."""

from __future__ import annotations

import logging
from collections.abc import Hashable
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from reidctl.config.schema import TrainConfig
    from reidctl.training.compiling import Forward

logger = logging.getLogger(__name__)


def is_recorded(config: TrainConfig, device: torch.device, *, shared_norms: bool) -> bool:
    """Whether a step launches recordings, as `train.cuda_graphs` asks for; a warning where a GPU can launch none.

    shared_norms: processes exchange statistics within the passes, which no recording holds.
    """
    if not config.cuda_graphs or device.type != "cuda":
        return False
    if config.accumulate > 1:
        # A parameter's gradient is the very memory that the recording writes, and the next batch would overwrite it.
        against = "train.accumulate"
    elif shared_norms:
        against = "train.sync_norms and several processes"
    else:
        return True
    logger.warning("train.cuda_graphs: not with %s, nothing is recorded", against)
    return False


class Graphed:
    """What a step calls instead of `model` on a GPU: the same numbers, with gradients, from a recording of its kernels.

    A network of small layers keeps a GPU waiting for its thousands of launches; a recording is one. It is made at the
    first call, and again when the shape of the batches, the layers that learn or those in training mode change; of
    random draws it repeats that they are made, not their values. A network that cannot be recorded runs as it is, with
    a warning. Memory: that of one step stays allocated. What Python does in `model` besides torch is not repeated.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        # To walk through a network of many modules would cost some of what a recording gains.
        self._parameters, self._modules = list(model.parameters()), list(model.modules())
        self._state: Hashable = None
        self._forward: Forward = model

    def __call__(self, images: Tensor) -> Tensor:
        state = self._state_for(images)
        if state != self._state:
            # The earlier recording's memory first.
            self._forward = self._model
            self._forward, self._state = self._recorded(images), state
        return self._forward(images)

    def _state_for(self, images: Tensor) -> Hashable:
        learning = tuple(parameter.requires_grad for parameter in self._parameters)
        return images.shape, images.stride(), _lower(), learning, tuple(each.training for each in self._modules)

    def _recorded(self, images: Tensor) -> Forward:
        """The passes as a recording, after which statistics and random states are what they were before."""
        buffers = [(buffer, buffer.clone()) for buffer in self._model.buffers()]
        generator = torch.cuda.default_generators[images.device.index]
        random, untouched = generator.get_state(), generator.clone_state()
        whole = _Pass(self._model, _lower())
        try:
            with torch.autocast("cuda", enabled=False, cache_enabled=False):
                recorded = cast(
                    "Forward", torch.cuda.make_graphed_callables(whole, (images.clone(),), allow_unused_input=True)
                )
        except RuntimeError as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            reason = " ".join(str(error).partition("\n")[0].split())
            logger.warning("%s cannot be recorded and runs as it is: %s", type(self._model).__name__, reason)
            recorded = self._model
            # A recording that broke off leaves its generator taking every later draw for one of the recording.
            generator.graphsafe_set_state(untouched)
        generator.set_state(random)
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
        return recorded


def _lower() -> torch.dtype | None:
    """The type that a GPU computes in here where it is not f32."""
    return torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else None


class _Pass(nn.Module):
    """A network in the arithmetic of a step. Weights cast to a lower precision are not kept for another pass."""

    def __init__(self, model: nn.Module, lower: torch.dtype | None) -> None:
        super().__init__()
        self._model, self._lower = model, lower

    def forward(self, images: Tensor) -> Tensor:
        enabled = self._lower is not None
        with torch.autocast("cuda", self._lower or torch.bfloat16, enabled=enabled, cache_enabled=False):
            embeddings: Tensor = self._model(images)
        return embeddings
