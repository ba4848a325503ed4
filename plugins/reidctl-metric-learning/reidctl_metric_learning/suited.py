"""Which classes of the library are losses and miners of reidctl, and why some are not."""

from __future__ import annotations

import inspect
from types import ModuleType

BASES = {"BaseLossWrapper", "BaseMetricLossFunction", "GenericPairLoss", "BaseMiner", "BaseDistance", "BatchedDistance"}

UNSUITED = {
    "CrossBatchMemory": "it remembers earlier batches, and a loss here is a function of its batch",
    "DynamicSoftMarginLoss": "it remembers earlier batches, and a loss here is a function of its batch",
    "HistogramLoss": "it fails where two embeddings are equal, since a cosine may round to more than 1",
    "InstanceLoss": "it takes labels for rows of the batch, so that the order of the batch matters",
    "ManifoldLoss": "it takes no labels and draws other classes for each batch",
    "MultipleLosses": "reidctl's own list of losses has weights",
    "NPairsLoss": "it sees the first two images of each identity alone, so that the order of the batch matters",
    "P2SGradLoss": "it changes its weights when it is called, behind the optimizer's back",
    "SelfSupervisedLoss": "it compares two views of each image, and reidctl has one",
    "SmoothAPLoss": "it needs a batch sorted by identity, with the same number of images of each",
    "TupletMarginLoss": "it is not a number where two embeddings are equal",
    "VICRegLoss": "it compares two views of each image, and reidctl has one",
    "EmbeddingsAlreadyPackagedAsTriplets": "it needs a batch made of triplets",
}
"""The reason, by class. Each was found by `reidctl.testing.check_loss`, or follows from what the class asks for."""

WITHOUT_MINER = {"PNPLoss", "RankedListLoss"}
"""Losses that choose their own pairs."""


def offered(module: ModuleType) -> dict[str, type]:
    """The classes of a module of the library that are suited, by name."""
    classes = dict(inspect.getmembers(module, inspect.isclass))
    return {
        name: found
        for name, found in classes.items()
        if name not in BASES and name not in UNSUITED and not name.endswith("Mixin")
    }
