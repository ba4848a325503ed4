"""Update rules by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch.nn import Module, Parameter
from torch.optim import SGD, Adam, AdamW, Optimizer, RAdam, RMSprop

from reidctl.config.schema import TrainConfig

RMSPROP_ALPHA = 0.99


def parameter_groups(model: Module, losses: Module, config: TrainConfig) -> list[dict[str, Any]]:
    """The parameters of `model` and `losses` for `build_optimizer`, each group with its factor of the rate, `lr_mult`.

    With base_lr_mult below 1 there are two: the layers that are not in new_layers, and all others with the losses.
    """
    if config.base_lr_mult == 1:
        return [{"params": [*model.parameters(), *losses.parameters()], "lr_mult": 1.0}]
    new = {id(p) for name in config.new_layers for p in model.get_submodule(name).parameters()}
    return [
        {"params": [p for p in model.parameters() if id(p) not in new], "lr_mult": config.base_lr_mult},
        {"params": [*(p for p in model.parameters() if id(p) in new), *losses.parameters()], "lr_mult": 1.0},
    ]


def build_optimizer(config: TrainConfig, parameters: Iterable[Parameter] | list[dict[str, Any]]) -> Optimizer:
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
            # Not fused: that fails as soon as a layer that was frozen joins those that have momentum.
            return SGD(parameters, rate, config.momentum, weight_decay=decay)
        case "rmsprop":
            return RMSprop(parameters, rate, RMSPROP_ALPHA, weight_decay=decay, momentum=config.momentum)


def set_lr(optimizer: Optimizer, rate: float) -> None:
    """Let the next step of `optimizer` use `rate`, in each group times its `lr_mult`."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("lr_mult", 1.0)
