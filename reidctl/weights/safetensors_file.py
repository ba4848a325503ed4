"""safetensors files."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from reidctl.errors import InputError


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a safetensors file, on the CPU, and its metadata; InputError for a damaged one."""
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:
        # The last five come of types that the installed versions do not know.
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: not a safetensors file: {reason}", "it may be incomplete: copy it again") from error
