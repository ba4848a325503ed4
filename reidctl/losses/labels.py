"""Labels that are classes of a loss, and pairs of rows that they make."""

from __future__ import annotations

import torch
from torch import Tensor

from reidctl.errors import InputError


def require_classes(labels: Tensor, num_classes: int) -> None:
    """InputError for a label that is none of 0…num_classes-1.

    Only labels on the CPU are looked at: an accelerator would have to be waited for, and those of a data set were
    checked when it was made.
    """
    if torch.compiler.is_compiling() or not labels.is_cpu or not len(labels):
        return
    lowest, highest = (int(bound) for bound in labels.aminmax())
    if lowest < 0 or highest >= num_classes:
        wrong = lowest if lowest < 0 else highest
        raise InputError(
            f"label {wrong} is none of the loss's {num_classes} classes, 0…{num_classes - 1}",
            "number the identities from 0 without gaps, or build the loss for more classes",
        )


def same_label(labels: Tensor) -> Tensor:
    """[B] -> [B, B]: whether two rows show one identity; every row does with itself."""
    return labels[:, None] == labels


def others(labels: Tensor) -> Tensor:
    """[B] -> [B, B]: false on the diagonal, true elsewhere."""
    return ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
