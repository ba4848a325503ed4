"""The OSNets of the retail networks: learned pooling, input norm, linear gates, PReLU, a feature pyramid if wanted."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from reidctl.models.dropout import DropoutOptions
from reidctl.models.fpn import PyramidOptions
from reidctl.models.osnet import X0_5, X0_25, X0_75, X1_0, Activation, EmbeddingDim, OSNet, Variant
from reidctl.models.pooling import Pooling

InputNorm = Annotated[bool, Field(description="normalise every image by its own mean and deviation, in the stem too")]
ExtraBlocks = Annotated[bool, Field(description="three blocks per stage instead of two")]
LCTGates = Annotated[bool, Field(description="linear context transform gates in all but the first block of a stage")]
NO_DROPOUT = DropoutOptions()


class FpnOSNet:
    """Builds one member of the family; `inspect.signature` of it shows the options, which all members share."""

    def __init__(self, name: str, variant: Variant, doc: str) -> None:
        self.__name__ = self.__qualname__ = name
        self.__doc__ = doc
        self._variant = variant

    def __repr__(self) -> str:
        return f"<model {self.__name__}>"

    def __call__(
        self,
        embedding_dim: EmbeddingDim = 256,
        pooling: Pooling = "conv",
        activation: Activation = "prelu",
        input_norm: InputNorm = True,
        lct_gate: LCTGates = False,
        extra_blocks: ExtraBlocks = False,
        fpn: PyramidOptions | None = None,
        dropout: DropoutOptions = NO_DROPOUT,
        *,
        image_size: tuple[int, int],
    ) -> OSNet:
        variant = replace(
            self._variant,
            pooling=pooling,
            activation=activation,
            input_norm=input_norm,
            lct_gate=lct_gate,
            blocks=3 if extra_blocks else 2,
            fpn=fpn,
            dropout=dropout,
        )
        return OSNet(variant, embedding_dim, image_size)


fpn_osnet_x1_0 = FpnOSNet("fpn_osnet_x1_0", X1_0, "Full width; with lct_gate the network of retail-0265: 2.1 M parameters, 0.98 GMAC.")
