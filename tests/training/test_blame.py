from __future__ import annotations

import pytest
import torch

from reidctl.errors import PluginError
from reidctl.registry import models
from reidctl.training.blame import blamed


def test_what_a_part_raises_names_its_package() -> None:
    words = r"model 'tiny' from stand-ins .*failed: RuntimeError: no kernel"
    with pytest.raises(PluginError, match=words), blamed(models, "tiny"):
        raise RuntimeError("no kernel")


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError()])
def test_a_lack_of_memory_is_no_fault_of_a_part(error: Exception) -> None:
    with pytest.raises(type(error)), blamed(models, "tiny"):
        raise error
    with pytest.raises(RuntimeError, match="DefaultCPUAllocator"), blamed(models, "tiny"):
        torch.empty(1 << 60, dtype=torch.uint8)
