"""Update rules by name."""

from __future__ import annotations

from collections.abc import Iterable

from torch.nn import Parameter
from torch.optim import SGD, Adam, AdamW, Optimizer, RAdam, RMSprop

from reidctl.config.schema import TrainConfig

RMSPROP_ALPHA = 0.99


def build_optimizer(config: TrainConfig, parameters: Iterable[Parameter]) -> Optimizer:
    """The optimizer that `config` names, for all `parameters` alike: norms and biases decay too.

    weight_decay is an L2 penalty in the gradient, except for adamw and radam, which shrink the weights directly.
    """
    rate, decay = config.lr, config.weight_decay
    match config.optimizer:
        case "adam" | "amsgrad":
            amsgrad = config.optimizer == "amsgrad"
            return Adam(parameters, rate, config.betas, weight_decay=decay, amsgrad=amsgrad, fused=True)
        case "adamw":
            return AdamW(parameters, rate, config.betas, weight_decay=decay, fused=True)
        case "radam":
            return RAdam(parameters, rate, config.betas, weight_decay=decay, decoupled_weight_decay=True)
        case "sgd":
            return SGD(parameters, rate, config.momentum, weight_decay=decay, fused=True)
        case "rmsprop":
            return RMSprop(parameters, rate, RMSPROP_ALPHA, weight_decay=decay, momentum=config.momentum)


def set_lr(optimizer: Optimizer, rate: float) -> None:
    """Let the next step of `optimizer` use `rate`."""
    for group in optimizer.param_groups:
        group["lr"] = rate
