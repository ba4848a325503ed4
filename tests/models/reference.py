"""Networks filled by the fixtures' rule, and what the reference system computed with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from reidctl.models import fpn_osnet, osnet
from reidctl.models.fpn import PyramidOptions
from reidctl.models.osnet import OSNet
from tests.parity.fillrule import fill_value, refill

PARITY = Path(__file__).parents[1] / "parity"
SIZE = (256, 128)
PLAIN: dict[str, Any] = {"pooling": "avg", "input_norm": False}

NETWORKS: dict[str, Callable[[], OSNet]] = {
    "model_0248": lambda: fpn_osnet.fpn_osnet_x0_25(image_size=SIZE),
    "model_0265": lambda: fpn_osnet.fpn_osnet_x1_0(lct_gate=True, image_size=SIZE),
    "model_0267": lambda: fpn_osnet.fpn_osnet_x0_5(lct_gate=True, image_size=SIZE),
    "model_0270": lambda: fpn_osnet.fpn_osnet_x0_75(lct_gate=True, image_size=SIZE),
    "variant_osnet_x1_0": lambda: osnet.osnet_x1_0(image_size=SIZE),
    "variant_osnet_x0_75": lambda: osnet.osnet_x0_75(image_size=SIZE),
    "variant_osnet_x0_5": lambda: osnet.osnet_x0_5(image_size=SIZE),
    "variant_osnet_x0_25": lambda: osnet.osnet_x0_25(image_size=SIZE),
    "variant_osnet_ibn_x1_0": lambda: osnet.osnet_ibn_x1_0(image_size=SIZE),
    "variant_fpn_x0_25_avg": lambda: fpn_osnet.fpn_osnet_x0_25(**PLAIN, image_size=SIZE),
    "variant_fpn_x0_25_softmax": lambda: fpn_osnet.fpn_osnet_x0_25(activation="relu", **PLAIN, image_size=SIZE),
    "variant_fpn_x0_25_gmp": lambda: fpn_osnet.fpn_osnet_x0_25(pooling="gmp", image_size=SIZE),
    "variant_fpn_x0_5_extra_blocks_lct": lambda: fpn_osnet.fpn_osnet_x0_5(
        extra_blocks=True, lct_gate=True, image_size=SIZE
    ),
    "variant_fpn_x0_25_concat_convpool": lambda: fpn_osnet.fpn_osnet_x0_25(fpn=PyramidOptions(dim=64), image_size=SIZE),
    "variant_fpn_x0_25_concatenation": lambda: fpn_osnet.fpn_osnet_x0_25(
        fpn=PyramidOptions(dim=64), **PLAIN, image_size=SIZE
    ),
    "variant_fpn_x0_25_max_pooling": lambda: fpn_osnet.fpn_osnet_x0_25(
        fpn=PyramidOptions(dim=64, process="max_pooling"), **PLAIN, image_size=SIZE
    ),
    "variant_fpn_x0_25_elementwise_sum": lambda: fpn_osnet.fpn_osnet_x0_25(
        fpn=PyramidOptions(dim=64, process="elementwise_sum"), **PLAIN, image_size=SIZE
    ),
}


@dataclass(frozen=True)
class Reference:
    """A fixture: `listing` from its .json, `arrays` from its .npz."""

    listing: list[tuple[str, tuple[int, ...]]]
    arrays: dict[str, np.ndarray[Any, Any]]

    @classmethod
    def load(cls, name: str) -> Reference:
        listed = json.loads((PARITY / f"{name}.json").read_text())["state_dict"]
        with np.load(PARITY / f"{name}.npz") as arrays:
            return cls([(key, tuple(shape)) for key, shape, _ in listed], dict(arrays))

    @property
    def places(self) -> list[str]:
        """The layers whose activations are stored."""
        return [key.removeprefix("act_mean.") for key in self.arrays if key.startswith("act_mean.")]

    def logits(self, embeddings: Tensor) -> Tensor:
        """Those of the reference's classifier: cosines where its weight is [D, C], else an affine map."""
        shapes = {key: shape for key, shape in self.listing if key.startswith("classifier.")}
        weight, *bias = (
            torch.as_tensor(fill_value(key, shape, None)).float().double() for key, shape in shapes.items()
        )
        if bias:
            return embeddings @ weight.T + bias[0]
        return nn.functional.normalize(embeddings) @ nn.functional.normalize(weight, dim=0)


def filled(name: str) -> OSNet:
    """The network of a fixture with its weights, in eval and float32."""
    network = NETWORKS[name]()
    refill(network)
    return network.eval()
