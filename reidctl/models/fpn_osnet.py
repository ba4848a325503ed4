"""The OSNets of the retail networks: learned pooling, input norm, linear gates, PReLU, a feature pyramid if wanted."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from annotated_types import Gt
from pydantic import Field

from reidctl.models.dropout import NO_DROPOUT, DropoutOptions
from reidctl.models.fpn import PyramidOptions
from reidctl.models.head import Activation, EmbeddingDim
from reidctl.models.osnet import X0_5, X0_25, X0_75, X1_0, OSNet, Variant
from reidctl.models.pooling import Pooling

InputNorm = Annotated[bool, Field(description="normalise each image by its own mean and deviation, and so in the stem")]
LCTGates = Annotated[bool, Field(description="linear context transform gates in all but the first block of a stage")]
LCTEps = Annotated[
    float,
    Gt(0),
    Field(description="added to the variances in these gates; 1e-10 is as good as the nothing of published ONNX files"),
]
ExtraBlocks = Annotated[bool, Field(description="three blocks per stage instead of two")]
Pyramid = Annotated[PyramidOptions | None, Field(description="a feature pyramid before the pooling")]
Dropout = Annotated[DropoutOptions, Field(description="noise in training")]

SHARED = """Paper: https://arxiv.org/abs/1905.00953; gates: https://arxiv.org/abs/1909.03834.
Images [B, 3, H, W] -> embeddings [B, embedding_dim], not of unit length. The defaults and `lct_gate` are those of
the retail networks. Conv pooling fits one image size, a pyramid sizes that are multiples of 16.
Without an embedding_dim the pooled features are the embedding; the original has this option and fails on it."""


class FpnOSNet:
    """Builds one member of the family; its signature, the same for all, is the options that a user has."""

    def __init__(self, name: str, variant: Variant, summary: str) -> None:
        self.__name__ = self.__qualname__ = name
        self.__doc__ = f"{summary}\n\n{SHARED}"
        self._variant = variant

    def __repr__(self) -> str:
        return f"<model {self.__name__}>"

    def __call__(
        self,
        embedding_dim: EmbeddingDim = 256,
        activation: Activation = "prelu",
        pooling: Pooling = "conv",
        input_norm: InputNorm = True,
        lct_gate: LCTGates = False,
        lct_eps: LCTEps = 1e-5,
        extra_blocks: ExtraBlocks = False,
        fpn: Pyramid = None,
        dropout: Dropout = NO_DROPOUT,
        *,
        image_size: tuple[int, int],
    ) -> OSNet:
        variant = replace(
            self._variant,
            activation=activation,
            pooling=pooling,
            input_norm=input_norm,
            lct_gate=lct_gate,
            lct_eps=lct_eps,
            blocks=3 if extra_blocks else 2,
            fpn=fpn,
            dropout=dropout,
        )
        return OSNet(variant, embedding_dim, image_size)


fpn_osnet_x1_0 = FpnOSNet("fpn_osnet_x1_0", X1_0, "Full width, 2.1 M parameters; with lct_gate retail-0265.")
fpn_osnet_x0_75 = FpnOSNet("fpn_osnet_x0_75", X0_75, "Three quarters, 1.2 M parameters; with lct_gate retail-0270.")
fpn_osnet_x0_5 = FpnOSNet("fpn_osnet_x0_5", X0_5, "Half the width, 0.6 M parameters; with lct_gate retail-0267.")
fpn_osnet_x0_25 = FpnOSNet("fpn_osnet_x0_25", X0_25, "A quarter of the width, 0.18 M parameters: retail-0248.")
fpn_osnet_ibn_x1_0 = FpnOSNet(
    "fpn_osnet_ibn_x1_0",
    replace(X1_0, ibn=True),
    "Full width with OSNet-IBN's instance norms, which the original's model of this name forgets.",
)
