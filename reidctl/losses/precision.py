"""The arithmetic of the losses."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from torch import Tensor


def widened(values: Tensor) -> Tensor:
    """float16 and bfloat16 as float32; wider types as they are."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def without_autocast(values: Tensor) -> AbstractContextManager[None]:
    """Autocast off on the device of `values`: a margin of a few hundredths drowns in bfloat16's rounding."""
    return torch.autocast(values.device.type, enabled=False)
