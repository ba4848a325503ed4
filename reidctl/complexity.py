"""Size and work of a network, found by running it on shapes alone."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

aten = torch.ops.aten


@dataclass(frozen=True)
class Complexity:
    """What one image costs.

    parameters: all of them; folded_parameters: with batch norms folded into the layer before and shared weights counted
    at every use, as the tables of the published retail networks have it;
    macs: multiply-accumulates of convolutions and matrix products; elementwise: operations of everything else that
    `published_gflops` counts;
    feature_maps: (channels, height, width) that each child of the network puts out;
    activation_bytes: what training in float32 keeps for the backward pass.
    """

    parameters: int
    folded_parameters: int
    macs: int
    elementwise: int
    feature_maps: dict[str, tuple[int, int, int]]
    activation_bytes: int

    @property
    def gflops(self) -> float:
        """Two operations per multiply-accumulate, in 10⁹."""
        return 2 * self.macs / 1e9

    @property
    def published_gflops(self) -> float:
        """`gflops` and element-wise work, which is what the retail networks' tables print.

        Per element: 1 for a bias or folded batch norm, 2 for ReLU, 3 for an addition, 5 for instance norm, the window's
        size for a pooling; gates and global pooling are free. It fits those tables; their tool does not define it.
        """
        return (2 * self.macs + self.elementwise) / 1e9


def measure(model: nn.Module, image_size: tuple[int, int]) -> Complexity:
    """Complexity of one image of (height, width) pixels; the model stays as it is, nothing is computed."""
    shadow = copy.deepcopy(model).to("meta").eval()
    parameters = sum(parameter.numel() for parameter in shadow.parameters())
    image = torch.empty(1, 3, *image_size, device="meta")
    uses = _Uses(shadow)
    elementwise = _ElementwiseOperations()
    products = FlopCounterMode(display=False)
    with torch.no_grad(), products, elementwise:
        shadow(image)
    uses.stop()
    return Complexity(
        parameters=parameters,
        folded_parameters=uses.folded_parameters,
        macs=products.get_total_flops() // 2,
        elementwise=elementwise.count,
        feature_maps=uses.feature_maps,
        activation_bytes=_activation_bytes(shadow, image),
    )


class _Uses:
    """Watches the modules of a network while it runs: what each one holds, what the children put out."""

    def __init__(self, network: nn.Module) -> None:
        self.folded_parameters = 0
        self.feature_maps: dict[str, tuple[int, int, int]] = {}
        self._names = {child: name for name, child in network.named_children()}
        self._hooks = [module.register_forward_hook(self._see) for module in network.modules()]

    def stop(self) -> None:
        for hook in self._hooks:
            hook.remove()

    def _see(self, module: nn.Module, _: Any, output: Any) -> None:
        # Of one image, layers that streams share see one a stream, whether in one batch or in several.
        times = output.shape[0] if isinstance(output, Tensor) else 1
        if isinstance(module, nn.BatchNorm2d):
            self.folded_parameters += times * module.num_features
        elif not isinstance(module, nn.BatchNorm1d):
            self.folded_parameters += times * sum(parameter.numel() for parameter in module.parameters(recurse=False))
        if module in self._names and isinstance(output, Tensor) and output.ndim == 4:
            _, channels, height, width = output.shape
            self.feature_maps[self._names[module]] = (channels, height, width)


class _ElementwiseOperations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the operations that are no matrix product, by the rule of `Complexity.published_gflops`."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = operator(*args, **(kwargs or {}))
        first = output[0] if isinstance(output, tuple) else output
        if isinstance(first, Tensor):
            self.count += first.numel() * _per_element(operator, args)
        return output


def _per_element(operator: Any, args: Any) -> int:
    match operator:
        case aten.convolution.default:
            return int(args[2] is not None)
        case aten.addmm.default:
            return 1
        case aten.native_batch_norm.default:
            measures_its_input = args[5]
            return 5 if measures_its_input else int(args[0].ndim == 4)
        case aten.relu.default | aten.relu_.default:
            return 2
        case aten.add.Tensor | aten.add_.Tensor:
            return 3
        case aten.avg_pool2d.default | aten.max_pool2d_with_indices.default:
            return math.prod(args[1])
    return 0


def _activation_bytes(network: nn.Module, image: Tensor) -> int:
    """Bytes of the tensors that autograd saves in training, the network's own aside: half those of a batch of two."""
    own = {tensor.untyped_storage()._cdata for tensor in (*network.parameters(), *network.buffers())}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept.setdefault(tensor.untyped_storage()._cdata, tensor)
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        network.train()(torch.cat([image, image]))
    return sum(tensor.untyped_storage().nbytes() for storage, tensor in kept.items() if storage not in own) // 2
